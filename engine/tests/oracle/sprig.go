package main

// The functions under test are Sprig's; the import pins its version.
import _ "github.com/Masterminds/sprig/v3"
