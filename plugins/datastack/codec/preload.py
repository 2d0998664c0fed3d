"""Importing this loads the compiled kernels, for a process that forks the tasks that use them."""

from datastack.codec.warm import compile_kernels

compile_kernels()
