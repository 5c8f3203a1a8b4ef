"""What an expression means, in plain recursive Python: no cache, no threads, no batches, and obviously right."""

import operator
from dataclasses import fields, is_dataclass, replace
from inspect import Parameter, signature

from redun import get_task_registry
from redun.expression import Expression, SchedulerExpression, SimpleExpression, TaskExpression, ValueExpression

_NAMES = ["eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul"]
_SWAPPED = {f"r{name}": lambda a, b, name=name: getattr(operator, name)(b, a) for name in ("add", "sub", "mul")}
_ACCESS = {"getitem": operator.getitem, "getattr": getattr, "call": lambda func, args, kwargs: func(*args, **kwargs)}
_LOGIC = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "rand": lambda a, b: b and a}
_DIVISION = {"div": operator.truediv, "rdiv": lambda a, b: b / a, "ror": lambda a, b: b or a}
OPERATIONS = {name: getattr(operator, name) for name in _NAMES} | _SWAPPED | _ACCESS | _LOGIC | _DIVISION


def evaluate(value):
    """Return a nested value with each expression in it replaced by what it stands for."""
    if isinstance(value, ValueExpression):
        return value.value
    if isinstance(value, SimpleExpression):
        return evaluate(OPERATIONS[value.func_name](*evaluate(value.args)))
    if isinstance(value, SchedulerExpression):
        return CONTROL[value.task_name](*value.args)
    if isinstance(value, TaskExpression):
        func = get_task_registry().get(value.task_name).func
        args, given = evaluate(value.args), evaluate(dict(value.kwargs))
        later = list(signature(func).parameters.values())[len(args) :]
        defaults = {parameter.name: parameter.default for parameter in later if parameter.name not in given}
        missing = {name: default for name, default in defaults.items() if default is not Parameter.empty}
        return evaluate(func(*args, **given, **evaluate(missing)))
    return rebuild(evaluate, value)


def rebuild(func, value):
    """Return a container with a function applied to its items; anything else as it is."""
    kind = type(value)
    if kind in (list, tuple, set):
        return kind([func(item) for item in value])
    if kind is dict:
        return {func(key): func(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return kind(*map(func, value))
    if is_dataclass(value):
        return replace(value, **{field.name: func(getattr(value, field.name)) for field in fields(value)})
    return value


def _cond(condition, then, *rest):
    if evaluate(condition):
        return evaluate(then)
    return _cond(*rest) if len(rest) > 1 else evaluate(rest[0])


def _catch(expression, *recoveries):
    try:
        return evaluate(expression)
    except Exception as error:
        for classes, recover in zip(recoveries[::2], recoveries[1::2], strict=True):
            if isinstance(error, classes):
                return evaluate(recover(ValueExpression(error)))
        raise


def _catch_all(expressions, error_class, recover):
    errors = []

    def settle(value):
        if not isinstance(value, Expression):
            return rebuild(settle, value)
        try:
            return evaluate(value)
        except Exception as error:
            errors.append(error)
            return error

    settled = settle(expressions)
    unmatched = [error for error in errors if not isinstance(error, error_class)]
    if unmatched:
        raise unmatched[0]
    return evaluate(recover(settled)) if errors else settled


CONTROL = {
    "redun.cond": _cond,
    "redun.catch": _catch,
    "redun.catch_all": _catch_all,
    "redun.seq": evaluate,
    "redun.map_": lambda function, values: [evaluate(evaluate(function)(item)) for item in evaluate(values)],
}
