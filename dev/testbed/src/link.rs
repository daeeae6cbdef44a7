//! The way from a customer to a vendor.

use std::net::SocketAddrV4;

use crate::{Cluster, Vendor, script};

/// A link between a customer's cluster and a vendor, open only for connections from
/// the customer to `vendor.test:443` and `registry.vendor.test:443`. It goes with this
/// handle or with the cluster.
#[derive(Debug)]
pub struct Link {
    customer: String,
}

impl Link {
    /// Joins the two.
    pub fn new(customer: &Cluster, vendor: &Vendor) -> Self {
        script::run("network", &["link", customer.name(), vendor.name()]);
        Self { customer: customer.name().to_owned() }
    }

    /// Allows connections from the customer to HOST:PORT of the vendor.
    pub fn open(&self, target: &str) {
        self.network("open", Some(target));
    }

    /// Refuses them, and ends those that are open.
    pub fn close(&self, target: &str) {
        self.network("close", Some(target));
    }

    /// Drops every packet, until [`Link::heal`].
    pub fn cut(&self) {
        self.network("cut", None);
    }

    /// Lets packets through again.
    pub fn heal(&self) {
        self.network("heal", None);
    }

    /// Leaves the HTTP proxy `http://proxy.test:3128` as the only way out, or removes it.
    pub fn proxy(&self, on: bool) {
        self.network("proxy", Some(if on { "on" } else { "off" }));
    }

    /// What was opened, and what was refused, since the link was made.
    pub fn report(&self) -> Report {
        Report::parse(&self.network("report", None))
    }

    fn network(&self, verb: &str, argument: Option<&str>) -> String {
        let mut args = vec![verb, &self.customer];
        args.extend(argument);
        script::run("network", &args)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        script::said(script::script("network").args(["unlink", &self.customer]));
    }
}

/// Connections that reached the router. The lists only grow.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Opened by the customer and let through.
    pub opened: Vec<Connection>,
    /// Opened by the customer and refused.
    pub refused_out: Vec<Connection>,
    /// Opened by the vendor's side and refused.
    pub refused_in: Vec<Connection>,
}

/// Who wanted to talk to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The address it came from.
    pub from: String,
    /// The address and port it went to.
    pub to: SocketAddrV4,
}

impl Report {
    /// Reads lines such as `opened tcp 10.100.0.12 -> 10.101.0.1:443`.
    fn parse(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            let [list, protocol, from, "->", to] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("dev/network report printed '{line}'");
            };
            let to = to.parse().unwrap_or_else(|error| panic!("'{line}': {error}"));
            let seen = Connection { protocol: protocol.to_owned(), from: from.to_owned(), to };
            match list {
                "opened" => report.opened.push(seen),
                "refused-out" => report.refused_out.push(seen),
                "refused-in" => report.refused_in.push(seen),
                _ => panic!("dev/network report has no list '{list}'"),
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_sorts_lines_by_list() {
        let report = Report::parse(
            "opened tcp 10.100.0.12 -> 10.101.0.1:443\nrefused-in tcp 172.16.0.6 -> 10.100.0.1:6443\n",
        );
        assert_eq!(report.opened.len(), 1);
        assert_eq!(report.refused_out, []);
        assert_eq!(report.refused_in[0].from, "172.16.0.6");
        assert_eq!(report.refused_in[0].to, "10.100.0.1:6443".parse().unwrap());
    }
}
