"""Turn functions, arguments and modules into the bytes that workers get."""
