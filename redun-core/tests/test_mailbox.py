"""The mailbox: waiting for mail."""

import threading

from redun.scheduler.mailbox import Mailbox

ROUNDS = 30_000


def test_short_waits_end():
    """Waiting ends when its time is over, however short that is."""
    mailbox = Mailbox()
    answers = []

    def wait_often():
        for number in range(ROUNDS):
            mailbox.put(str)
            mailbox.wait(1)
            answers.append(mailbox.wait(number % 3 * 1e-6))

    waiting = threading.Thread(target=wait_often, daemon=True)
    waiting.start()
    waiting.join(60)

    assert answers == [None] * ROUNDS
