"""The bundles of one network on the node: what has arrived, what is whole, and how it becomes files again."""
