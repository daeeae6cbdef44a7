//! `pinnace template RELEASE CHART`.

#[derive(Debug, clap::Args)]
pub struct Args {
    release: String,
    chart: String,
}

pub fn run(args: Args) -> anyhow::Result<()> {
    anyhow::bail!("cannot render {} as {} yet", args.chart, args.release)
}
