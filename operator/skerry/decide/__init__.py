"""Pure decisions: no I/O, no clock, no logger. An import contract in CI proves it."""
