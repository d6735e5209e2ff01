//! The configuration in words, for `tailcast check`.

use std::fmt;

use super::check::SOURCE_KEY;
use super::origin::shown;
use super::{Config, Setting};

/// Shows a configuration: each effective value and its origin, what is served, the warnings.
#[derive(Debug, Clone, Copy)]
pub struct Explanation<'a>(pub(super) &'a Config);

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(config) = self;
        let file = config.file.as_deref().map_or("none found".to_owned(), shown);
        writeln!(text, "file     {file}\nprofile  {}\n", config.figment.profile())?;
        write_settings(text, &config.settings)?;
        writeln!(text, "\nsources ({}):", origin_of_sources(&config.settings))?;
        for source in &config.sources {
            let name = source.name.as_deref().unwrap_or("(named after its path)");
            writeln!(text, "  {name}")?;
            for path in &source.paths {
                writeln!(text, "    {path}")?;
            }
            if let Some(olddir) = &source.olddir {
                writeln!(text, "    rotated into {}", olddir.display())?;
            }
        }
        if !config.warnings.is_empty() {
            writeln!(text)?;
        }
        config.warnings.iter().try_for_each(|warning| writeln!(text, "warning: {warning}"))
    }
}

fn write_settings(text: &mut fmt::Formatter<'_>, settings: &[Setting]) -> fmt::Result {
    let width = |shown: fn(&Setting) -> &str| {
        settings.iter().map(|setting| shown(setting).chars().count()).max().unwrap_or(0)
    };
    let key_width = width(|setting| &setting.key);
    let value_width = width(|setting| &setting.value);
    settings.iter().try_for_each(|Setting { key, value, origin }| {
        writeln!(text, "{key:key_width$}  {value:value_width$}  {origin}")
    })
}

fn origin_of_sources(settings: &[Setting]) -> String {
    let setting = settings.iter().find(|setting| setting.key == SOURCE_KEY);
    setting.map_or("named on the command line".to_owned(), |setting| setting.origin.to_string())
}
