"""Benchmarks: side by side with peers (`compare`), of builds (`build_times`), of single functions (`test_micro`)."""
