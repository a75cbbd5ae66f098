import kiln

def fire(clay, heat):
    glazed = kiln.glaze(clay, heat)
    cooled = cool(glazed, heat)
    broken = mend(glazed heat)
    glazed.polish(cooled, heat)
    return glazed


def cooling(glazed, heat):
    steps = [heat - step for step in range(glazed.steps)]
    return steps
