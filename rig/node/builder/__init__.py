"""From a source tree to something that runs.

`detect` looks at the files and picks a builder, the builder installs what the lock files ask for into a dependency
layer that later builds share, and the result is a `Build`: what to start, with which mounts and environment. It is
kept as `build.json`, so that a rollback starts it again without building. All foreign code runs through the `Driver`.
"""
