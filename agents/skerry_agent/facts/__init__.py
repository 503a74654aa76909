"""What the device is: hardware, power and link, read from /proc and /sys (docs/adr/0025).

`find` reads once, `steady` says what of it is worth a report, `watch` looks again now and then.
Each reader returns None for what it can't find: an absent fact is better than a guessed one.
"""
