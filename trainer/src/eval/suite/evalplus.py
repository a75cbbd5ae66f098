# Stands after a completion: raises where its function gives other outputs than the reference solution.
def _truefill_evalplus(program, problem):
    import contextlib
    import copy
    import io
    import json
    import math
    import numbers
    import signal
    import sys
    import time

    def loads(text):
        # Inputs have integers with more digits than Python reads by default.
        limit = getattr(sys, "get_int_max_str_digits", lambda: None)()
        if limit is not None:
            sys.set_int_max_str_digits(0)
        try:
            return json.loads(text)
        finally:
            if limit is not None:
                sys.set_int_max_str_digits(limit)

    problem = loads(problem)
    mbpp, entry = problem["suite"] == "mbpp", problem["entry"]

    # JSON has neither tuples nor sets nor complex numbers: which tasks of MBPP+ take them, and where.
    def each(convert):
        return lambda arguments: [convert(argument) for argument in arguments]

    def first(convert):
        return lambda arguments: [convert(arguments[0]), *arguments[1:]]

    def tuples(rows):
        return [tuple(row) for row in rows]

    def tuple_of_tuples(rows):
        return tuple(tuple(row) for row in rows)

    def sets(rows):
        return [set(row) if isinstance(row, list) and row else {} for row in rows]

    def deep(value):
        return tuple(deep(item) for item in value) if isinstance(value, list) else value

    def pairs(rows):
        return tuple(tuple(row) if isinstance(row, list) else row for row in rows)

    def values(mapping):
        return {key: tuple(value) for key, value in mapping.items()}

    conversions = [
        (each(tuple), "2 116 132 143 222 261 273 394 399 421 424 429 470 560 579 596 616 630 726 740 744 809"),
        (each(tuples), "63 64 70 94 120 237 272 299 400 409 417 438 473 614 780"),
        (first(tuples), "75 413 444 753"),
        (lambda arguments: [arguments[0], tuple(arguments[1])], "106 750"),
        (first(sets), "115"),
        (lambda arguments: [float(arguments[0]), complex(arguments[1])], "124"),
        (first(tuple), "250 307 405 446 617 720 763 808"),
        (each(tuple_of_tuples), "259 401 445"),
        (first(pairs), "278"),
        (first(values), "722"),
        (first(complex), "252"),
        (deep, "580 615 791"),
    ]

    def arguments_of(lists):
        if mbpp:
            number = problem["task"].rsplit("/", 1)[-1]
            for convert, tasks in conversions:
                if number in tasks.split():
                    return [convert(arguments) for arguments in lists]
        return list(lists)

    # Outputs of these are compared as sets, or only as to whether there is one.
    as_sets = mbpp and entry in (
        "similar_elements find_char_long common_in_nested_lists extract_singly larg_nnum "
        "intersection_array find_dissimilar Diff"
    ).split()
    as_any = mbpp and entry in "check_str text_match_three text_starta_endb".split()

    def surface(edge, height):
        slant = math.sqrt((edge / 2) ** 2 + height**2)
        return round(edge**2 + 2 * edge * slant)

    def digit_distance(one, other):
        width = max(len(str(one)), len(str(other)))
        digits = zip(str(one).zfill(width), str(other).zfill(width))
        return sum(abs(int(a) - int(b)) for a, b in digits)

    def matches(arguments, out, expected, tolerance):
        if as_sets:
            return set(out) == set(expected)
        if as_any:
            return expected == (out if isinstance(out, bool) else out is not None)
        if mbpp and entry == "are_equivalent":
            return True
        if out == expected:
            return True
        if mbpp and entry == "sum_div":
            return out == 0
        if mbpp and entry == "surface_Area":
            return abs(out - surface(*arguments)) <= tolerance
        if mbpp and entry == "digit_distance_nums":
            return out == digit_distance(*arguments)
        return False

    def floats(value):
        if isinstance(value, (list, tuple)):
            return bool(value) and all(isinstance(item, float) for item in value)
        return isinstance(value, float)

    def close(out, expected, tolerance):
        if isinstance(expected, (list, tuple)):
            same = isinstance(out, (list, tuple)) and len(out) == len(expected)
            return same and all(close(a, b, tolerance) for a, b in zip(out, expected))
        if not isinstance(out, numbers.Number) or not isinstance(expected, numbers.Number):
            return False
        if out == expected:
            return True
        near = abs(out - expected) <= tolerance + 1e-7 * abs(expected)
        return near and not math.isinf(abs(expected))

    @contextlib.contextmanager
    def within(seconds):
        def stop(*_):
            raise TimeoutError("one input took more than %s s" % seconds)

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def call(function, arguments):
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            return function(*arguments)

    namespace = {}
    exec(problem["reference"], namespace)
    reference, completed = namespace[entry], program[entry]
    for lists in problem["inputs"]:
        # Once a float was expected, all that follows is compared with a tolerance: EvalPlus's way.
        tolerance, left = problem["atol"], 60.0
        for arguments in arguments_of(lists):
            begun = time.monotonic()
            expected = call(reference, copy.deepcopy(arguments))
            allowed = max(4.0, 4.0 * (time.monotonic() - begun))
            if as_any:
                expected = expected is not None
            begun = time.monotonic()
            with within(min(allowed, left)):
                out = call(completed, arguments)
            # A time limit of nothing would be none.
            left = max(left - (time.monotonic() - begun), 0.001)
            if not mbpp and entry == "find_zero":
                value = sum(c * math.pow(out, i) for i, c in enumerate(*arguments))
                right = abs(value) <= tolerance
            else:
                right = matches(arguments, out, expected, tolerance)
                if tolerance == 0 and floats(expected):
                    tolerance = 1e-6
                if not right and tolerance != 0:
                    right = type(out) is type(expected) and close(out, expected, tolerance)
            if not right:
                raise AssertionError("%r: expected %r, found %r" % (arguments, expected, out))
