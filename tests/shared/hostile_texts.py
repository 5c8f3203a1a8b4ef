"""Texts that try to be something else where they are shown."""

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"]; evil -> n0 [label="owned"]; \\N \\" }',
    'end"]:::x; click n0 "javascript:alert(1)" %%{init: {}}%% #quot; `**b**`',
    "<!-- ]]> &amp; {{data}} {{script}} ${1}",
    "\x00\x01\x1b[2J\x7f\x9b\u202e\u2028\ud800\ufffe",
    "'; DROP TABLE job; --\n\t\r\n",
)
"""Texts that are something else in one of the formats."""
