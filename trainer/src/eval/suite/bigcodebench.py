# Stands after the tests: raises where one of them fails.
def _truefill_unittest(cases):
    import sys
    import unittest

    suite = unittest.TestLoader().loadTestsFromTestCase(cases)
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    if result.failures or result.errors or not result.testsRun:
        raise AssertionError("%d of the tests failed" % len(result.failures + result.errors))


_truefill_unittest(TestCases)
