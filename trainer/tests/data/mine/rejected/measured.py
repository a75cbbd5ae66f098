def weave(threads, colours, pattern):
    woven = []
    for thread, colour in zip(threads, colours):
        woven.append(pattern.apply(thread, colour, len(woven)))
    return woven


def unweave(woven, pattern):
    return [pattern.reverse(thread) for thread in woven]
