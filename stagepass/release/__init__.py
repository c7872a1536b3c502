"""
Releases: the objects and images of a stage, made into one thing that is signed, stored and read back.

`build`, `content`, `model`, `artifact`, `refused`, `salted` and `compare` are pure; `store` and `pushed`
write and read directories and registries, `find` verifies what lies there.
"""
