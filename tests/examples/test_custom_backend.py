"""The plugins in the examples are as short as they are said to be."""

import ast
import tokenize
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKAGE = EXAMPLES / "09_custom_backend/redun-backend-files/src/redun_backend_files"
_LAYOUT = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def list_code_lines(path):
    """Return the numbers of the lines of a module that are neither empty, comments nor docstrings."""
    with path.open() as lines:
        tokens = [token for token in tokenize.generate_tokens(lines.readline) if token.type not in _LAYOUT]
    nodes = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    docstrings = [node.body[0] for node in nodes if ast.get_docstring(node)]
    described = {line for node in docstrings for line in range(node.lineno, node.end_lineno + 1)}
    return {line for token in tokens for line in range(token.start[0], token.end[0] + 1)} - described


def test_custom_store_has_forty_lines():
    """The store and what offers it have at most 40 lines of code."""
    count = sum(len(list_code_lines(path)) for path in PACKAGE.glob("*.py"))

    assert 20 < count <= 40


def test_custom_value_has_few_lines():
    """The type of values and what offers it have less than 45 lines of code."""
    package = EXAMPLES / "15_custom_value/redun-value-decimal/src/redun_value_decimal"

    count = sum(len(list_code_lines(path)) for path in package.glob("*.py"))

    assert 10 < count < 45
