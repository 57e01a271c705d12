// A part for late_library_test.cpp.
extern "C" int clmnet_twice(int x) { return 2 * x; }
