import pickle

import pytest

from redun import Scheduler, task
from redun.options import CacheCheckValid, CacheResult, CacheScope, merge_options, normalize_options, settle_options

redun_namespace = "test_options"


@task(version="1")
def call(*args):
    return args


@pytest.mark.parametrize(
    ("options", "normal"),
    [
        ({}, {}),
        ({"memory": 4, "image": "i", "anything": [1]}, {"memory": 4, "image": "i", "anything": [1]}),
        ({"cache": True}, {"cache_scope": CacheScope.BACKEND}),
        ({"cache": False}, {"cache_scope": CacheScope.CSE}),
        ({"cache_scope": "NONE"}, {"cache_scope": CacheScope.NONE}),
        ({"cache_scope": "CSE"}, {"cache_scope": CacheScope.CSE}),
        ({"cache_scope": "BACKEND"}, {"cache_scope": CacheScope.BACKEND}),
        ({"cache_scope": CacheScope.NONE}, {"cache_scope": CacheScope.NONE}),
        ({"check_valid": "full"}, {"check_valid": CacheCheckValid.FULL}),
        ({"check_valid": "shallow"}, {"check_valid": CacheCheckValid.SHALLOW}),
        ({"check_valid": CacheCheckValid.FULL}, {"check_valid": CacheCheckValid.FULL}),
    ],
)
def test_options_get_one_form(options, normal):
    """The kernel's own options are brought to one form; others pass as they are."""
    actual = normalize_options(options)

    assert actual == normal


def test_normalizing_leaves_the_given_options_alone():
    """Options are copied before anything is replaced."""
    options = {"cache": False}

    normalize_options(options)

    assert options == {"cache": False}


@pytest.mark.parametrize("name", ["cache_scope", "check_valid", "memory"])
def test_option_may_be_an_expression(name):
    """The value of an option may be an expression, which passes."""
    expression = call(1)

    actual = normalize_options({name: expression})

    assert actual[name] is expression


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cache_scope": "cse"}, "task option cache_scope='cse' is none of 'NONE', 'CSE', 'BACKEND'"),
        ({"cache_scope": ""}, "task option cache_scope='' is none of"),
        ({"check_valid": "FULL"}, "task option check_valid='FULL' is none of 'full', 'shallow'"),
    ],
)
def test_unknown_choice_is_refused(options, message):
    """A text that is no member of the option's enumeration raises ValueError with the choices."""
    with pytest.raises(ValueError, match=message):
        normalize_options(options)


@pytest.mark.parametrize(
    "options", [{"cache_scope": 5}, {"cache_scope": True}, {"cache_scope": CacheCheckValid.FULL}, {"check_valid": 1.5}]
)
def test_choice_of_a_wrong_type_is_refused(options):
    """A value that is neither text, member nor expression raises ValueError with the choices."""
    with pytest.raises(ValueError, match="is none of"):
        normalize_options(options)


def test_cache_may_not_be_an_expression_and_says_so():
    """Option `cache` decides before anything is evaluated, so an expression is refused with the option's name."""
    with pytest.raises(TypeError, match="cache"):
        normalize_options({"cache": call(1)})


@pytest.mark.parametrize("allowed", [{CacheResult.CSE}, ["CSE"], "CSE", (CacheResult.CSE,)])
def test_results_that_are_allowed_get_one_form(allowed):
    """What `allowed_cache_results` names may be members or their texts, one or several."""
    assert settle_options({"allowed_cache_results": allowed}, "add") == {"allowed_cache_results": {CacheResult.CSE}}


@pytest.mark.parametrize("options", [{}, {"memory": 4}, {"prov": False, "cache_scope": None, "tags": [("a", 1)]}])
def test_options_that_are_settled_stay_as_they_are(options):
    """Options that need no other form are the same afterwards."""
    assert settle_options(options, "add") == options


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"version": call("1")}, "version of task add can't be an expression"),
        ({"hash_includes": print}, "hash_includes of task add is a list of values, not <built-in function print>"),
        ({"compat": "0123"}, "compat of task add is a list of hashes, not '0123'"),
        ({"export_options": ["memory"]}, "export_options of task add is a mapping of options to values"),
        ({"config_args": "a"}, "config_args of task 'test_options.add' must be a list of names of"),
        ({"tags": {"project": "moon"}}, r"must be a list of pairs .*: write \[\('project', 'moon'\)\]"),
    ],
)
def test_definition_with_a_wrong_value_is_refused(settings, message):
    """What says what a task is has a value of a certain type, and another one is refused where the task is defined."""

    def add(a, b):
        return a + b

    with pytest.raises((TypeError, ValueError), match=message):
        task(**{"namespace": "test_options", "version": "1", **settings})(add)


def test_tags_of_a_definition_may_be_expressions():
    """Tags that are known when the task is called are those of the job; the task itself has none."""

    @task(version="1", tags=[("step", call(1)[0])])
    def tagged():
        return 1

    with Scheduler() as scheduler:
        assert scheduler.run(tagged()) == 1

    tagged = [(on, tags) for (on, _), tags in scheduler.backend.tags.items() if ("step", 1) in tags]
    assert tagged == [("Job", [("step", 1)])]


@pytest.mark.parametrize("context", [5, call({"a": 1})])
def test_context_that_is_no_mapping_is_refused(context):
    """A context has names, so it can't be an expression, or anything but a mapping."""
    with pytest.raises(TypeError, match="a context must be a mapping, not"):
        call.update_context(context)


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ((), {}),
        (({},), {}),
        (({"a": 1}, {}), {"a": 1}),
        (({}, {"a": 1}), {"a": 1}),
        (({"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2}, {"c": 3}), {"a": 1, "b": 2, "c": 3}),
    ],
)
def test_later_layers_win(layers, merged):
    """Merged options have every option of all layers, the latest value each."""
    before = [dict(layer) for layer in layers]

    actual = merge_options(*layers)

    assert actual == merged
    assert list(layers) == before


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CacheScope, {"NONE": "NONE", "CSE": "CSE", "BACKEND": "BACKEND"}),
        (CacheCheckValid, {"FULL": "full", "SHALLOW": "shallow"}),
        (CacheResult, {"CSE": "CSE", "SINGLE": "SINGLE", "ULTIMATE": "ULTIMATE", "MISS": "MISS"}),
    ],
)
def test_enumerations_have_the_stored_values(kind, values):
    """The enumerations have the names and values that stored options use."""
    actual = {member.name: member.value for member in kind}

    assert actual == values


@pytest.mark.parametrize("member", [CacheScope.CSE, CacheCheckValid.SHALLOW, CacheResult.ULTIMATE])
def test_enumerations_are_pickled_as_members_of_redun_task(member):
    """Stored options name the enumerations in module `redun.task`."""
    data = pickle.dumps(member, 3)

    actual = pickle.loads(data)

    assert data.startswith(b"\x80\x03credun.task\n%s\n" % type(member).__name__.encode())
    assert actual is member
