"""The contract of stores itself: each way of breaking it fails the tests that are meant, and each test can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from redun.testing import BackendContract

STORES = Path(__file__).with_name("stores")

TESTS = """
from hypothesis import Phase
from stores import broken, broken_shared, folder
from redun.testing import BackendContract

class Quick(BackendContract):
    many = 600
    lease = 1
    deaths = 3
    seconds = 60
    random_settings = {"max_examples": 50, "derandomize": True, "phases": [Phase.generate]}

class InMemory(Quick):
    is_durable = is_shared = False
    def make_backend(self, path):
        return self.backend_type()

class InFolder(Quick):
    def make_backend(self, path):
        return self.backend_type(folder.FolderOptions(str(path)))
"""

CAUGHT = {
    "Undescribed": {"test_options_are_described"},
    "Textual": {"test_values_are_found_byte_for_byte", "test_calls_are_found_as_they_were"},
    "Empty": {"test_values_are_found_byte_for_byte"},
    "Small": {"test_values_are_found_byte_for_byte", "test_workflow_runs_once"},
    "Vague": {"test_unknown_keys_are_absent"},
    "Narrow": {"test_any_number_of_keys_is_looked_up", "test_any_number_of_calls_is_looked_up"},
    "Generous": {"test_any_number_of_keys_is_looked_up"},
    "Unrepeating": {"test_any_number_of_keys_is_looked_up"},
    "Short": {"test_similar_keys_are_kept_apart"},
    "Stale": {"test_newest_evaluation_counts", "test_uncached_run_replaces_results", "test_store_is_a_dict"},
    "Repeating": {"test_recording_twice_changes_nothing", "test_known_call_stays_as_it_is", "test_store_is_a_dict"},
    "Torn": {"test_batch_is_recorded_as_a_whole"},
    "Dropping": {"test_large_batch_is_recorded", "test_any_number_of_keys_is_looked_up"},
    "Forgetful": {"test_many_small_batches_are_recorded"},
    "Nervous": {"test_empty_batch_changes_nothing"},
    "Tagged": {"test_jobs_leave_answers_as_they_are"},
    "Strict": {"test_load_and_close_are_repeatable"},
    "Bound": {"test_threads_take_turns"},
    "Common": {"test_stores_are_kept_apart"},
    "Childless": {"test_subtrees_are_exact", "test_store_is_a_dict"},
    "Contextless": {
        "test_contexts_are_exact",
        "test_final_results_hold_in_their_context",
        "test_store_is_a_dict",
    },
    "OldestFirst": {
        "test_calls_are_found_newest_first",
        "test_known_call_stays_as_it_is",
        "test_store_is_a_dict",
    },
    "Renewing": {"test_known_call_stays_as_it_is", "test_store_is_a_dict"},
    "Argumentative": {"test_tasks_and_arguments_are_kept_apart", "test_store_is_a_dict"},
    "Mingling": {"test_evaluations_and_calls_are_kept_apart", "test_store_is_a_dict"},
    "Formatting": {"test_odd_calls_are_found"},
    "Unaware": {"test_evaluated_tasks_are_known"},
    "Presuming": {"test_unrecorded_calls_are_known"},
    "PastOldestFirst": {"test_past_is_found_newest_first"},
    "PastByEnd": {"test_past_is_found_by_any_name"},
    "PastWithoutPaths": {"test_past_with_a_file_is_found_among_many"},
    "PastWithoutEnd": {"test_past_is_bounded", "test_past_with_a_file_is_found_among_many"},
    "PastWithoutBeginning": {"test_past_is_found_by_any_name", "test_past_is_found_newest_first"},
    "Indiscriminate": {"test_durations_are_means_of_what_ran"},
    "Untimed": {"test_durations_are_means_of_what_ran"},
    "Credulous": {"test_states_are_found", "test_latest_word_on_a_state_counts"},
    "Believing": {"test_latest_word_on_a_state_counts"},
    "Mixing": {"test_states_after_another_are_found"},
    "Nearsighted": {"test_any_number_of_states_is_found"},
    "Amnesiac": {
        "test_dry_run_knows_what_would_run",
        "test_finished_work_of_a_failed_run_is_kept",
        "test_only_new_calls_run",
        "test_workflow_runs_once",
    },
}
CAUGHT_SHARED = {
    "Fading": {"test_values_are_found_byte_for_byte", "test_newest_evaluation_counts"},
    "Blinkered": {
        "test_instances_agree_on_the_newest",
        "test_store_is_a_dict",
        "test_what_is_recorded_later_is_found",
    },
    "LastContext": {"test_instances_add_to_one_call", "test_contexts_are_exact", "test_store_is_a_dict"},
    "Overwriting": {"test_processes_write_at_once", "test_workflows_run_at_once"},
    "TornFiles": {"test_killed_writer_leaves_whole_batches"},
    "Late": {"test_killed_writer_leaves_whole_batches", "test_killed_run_goes_on"},
    "Unjournaled": {"test_killed_journal_holds_whole_batches"},
    "Skipping": {
        "test_journaled_records_are_found_once_recorded",
        "test_journaled_states_are_found_once_recorded",
    },
    "Reviving": {"test_newest_evaluation_counts_in_the_journal"},
    "Busy": {"test_journal_goes_on_while_records_are_written"},
    "Lonely": {"test_rivals_are_found", "test_beats_are_seen", "test_call_is_waited_for"},
    "Asleep": {"test_beats_are_seen"},
    "Granting": {"test_call_is_claimed_by_one", "test_processes_claim_at_once", "test_call_is_waited_for"},
    "Stubborn": {"test_claims_can_be_given_up"},
    "Eternal": {"test_claims_end_with_their_execution"},
}
STORES_OF = {
    "TestGood(InFolder)": "folder.Folder",
    **{f"Test{name}(InMemory)": f"broken.{name}" for name in CAUGHT},
    **{f"Test{name}(InFolder)": f"broken_shared.{name}" for name in CAUGHT_SHARED},
}
ALL_CAUGHT = {**CAUGHT, **CAUGHT_SHARED}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """The names of the tests that each store fails, of those that are meant; of all tests for the good one."""
    folder = tmp_path_factory.mktemp("broken")
    classes = "".join(f"\nclass {name}:\n    backend_type = {store}\n" for name, store in STORES_OF.items())
    shutil.copytree(STORES, folder / "stores", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "test_broken.py").write_text(TESTS + classes)
    tests = [f"test_broken.py::Test{name}::{test}" for name, tests in ALL_CAUGHT.items() for test in sorted(tests)]
    unexplained = ["--assert=plain", "--tb=no"]  # What differs in large stores takes long to find and to print.
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml=report.xml", "-p", "no:cacheprovider", *unexplained]
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [*command, "test_broken.py::TestGood", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=600,
    )
    found = {name: set() for name in ("Good", *ALL_CAUGHT)}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        if case.find("failure") is not None:
            found[case.get("classname").rpartition(".Test")[2]].add(case.get("name").partition("[")[0])
    return found


def test_good_store_passes(failed):
    """The store that the broken ones are made of passes every test."""
    assert failed["Good"] == set()


@pytest.mark.parametrize("name", ALL_CAUGHT)
def test_broken_store_is_caught(failed, name):
    """A store that breaks the contract fails the tests that are about what it breaks."""
    assert failed[name] == ALL_CAUGHT[name]


def test_every_test_of_the_contract_can_fail(failed):
    """For each test of the contract there is a store that fails it."""
    tests = {name for name in dir(BackendContract) if name.startswith("test_")}

    assert set().union(*failed.values()) == tests
