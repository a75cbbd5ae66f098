# This program is free software under the terms of the GNU General Public
# License as published by the Free Software Foundation.
def gather(values, limit):
    chosen = [value for value in values if value < limit]
    chosen.sort()
    return chosen


def spread(values):
    smallest = min(values)
    largest = max(values)
    return largest - smallest
