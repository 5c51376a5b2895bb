//! `whodid exec`.

use std::ffi::OsString;
use std::process::ExitCode;

use super::say;
use super::settings::Place;
use crate::clock::Clock;
use crate::config::{Config, Intake, Machine};
use crate::event::escape;
use crate::exec::{self, Job};

/// Run a command, with its start and its end in the trail
///
/// The command has the terminal, the signals and the environment that it would have alone, and its exit code is the
/// one returned (128 and the signal's number if a signal ended it, 127 if there is no such command, 126 if it cannot be
/// started). What it runs finds the id of its run in WHODID_RUN.
///
/// The records go to a running `whodid run`, else to the spool folder, from which the next run takes them. Where
/// neither can be reached the command runs all the same, and stderr says what is not recorded.
///
/// For example: whodid exec --name deploy -- ansible-playbook site.yml
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the run is called in the trail; without it, the name of the program
    #[arg(long)]
    name: Option<String>,

    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let machine = Machine::look();
        let (places, host) = places(place, &machine);
        let mut words = self.command.into_iter();
        let Some(program) = words.next() else { anyhow::bail!("there is no command") };
        let job = Job { name: self.name, program, arguments: words.collect(), host };
        // Runs happen now, whatever a replay makes of the time.
        let code = exec::run(&job, &places, Clock::System, &mut |text| {
            say::aside(format_args!("whodid: {}", escape::line(text)));
        });
        Ok(ExitCode::from(code))
    }
}

/// Where to hand over, first choice first: what was named, else the machine's own writer and then the user's.
/// No configuration may keep a command from running.
fn places(place: &Place, machine: &Machine) -> (Vec<Intake>, String) {
    let config = Config::discover_on(machine, place.config.as_deref(), place.data.as_deref());
    let host = config.as_ref().map_or_else(|_| machine.host.clone(), |config| config.host.clone());
    let is_named = place.config.is_some() || place.data.is_some();
    let mut places = if is_named { Vec::new() } else { vec![Intake::of_system(machine)] };
    match config {
        Ok(config) => places.extend(config.intake.filter(|intake| !places.contains(intake))),
        Err(problems) if is_named => {
            say::aside(format_args!("whodid: {problems}"));
            places.extend(place.data.as_deref().map(Intake::in_data));
        }
        Err(_) => {}
    }
    (places, host)
}
