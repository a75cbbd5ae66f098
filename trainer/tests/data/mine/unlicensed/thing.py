def nobody_said(what):
    answer = what.lower()
    return answer.strip()
