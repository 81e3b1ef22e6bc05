module gotargets

go 1.17
