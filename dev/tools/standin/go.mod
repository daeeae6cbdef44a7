module tools/standin

go 1.26.8
