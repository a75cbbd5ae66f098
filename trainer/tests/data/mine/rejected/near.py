import math


def hypotenuse(opposite, adjacent):
    squared = opposite * opposite + adjacent * adjacent
    return math.sqrt(squared)


def perimeter(opposite, adjacent):
    longest = hypotenuse(opposite, adjacent)
    return opposite + adjacent + longest


def describe(opposite, adjacent):
    longest = hypotenuse(opposite, adjacent)
    around = perimeter(opposite, adjacent)
    return {"longest": longest, "around": around}


def area(opposite, adjacent):
    return opposite * adjacent / 2
