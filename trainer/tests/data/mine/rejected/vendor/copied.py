def gather(values, limit):
    chosen = [value for value in values if value < limit]
    chosen.sort()
    return chosen


def spread(values):
    smallest = min(values)
    largest = max(values)
    return largest - smallest
