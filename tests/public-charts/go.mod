// Pins of public charts that are rendered in tests: a Go module's archive holds its charts folder.
module pinnace.test/public-charts

go 1.26.4

require (
	k8s.io/ingress-nginx v0.0.0-20240708192948-52c50467d67d
	sigs.k8s.io/descheduler v0.36.0
	sigs.k8s.io/external-dns v0.21.0
	sigs.k8s.io/metrics-server v0.9.0
)
