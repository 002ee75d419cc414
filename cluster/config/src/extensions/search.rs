//! `extensions.search`: searching, and looking for known vulnerabilities.

use std::path::PathBuf;
use std::time::Duration;

use crate::setting::section::section;
use crate::setting::word::words;

section! {
    /// Searching.
    pub struct Search {
        /// Whether it is served.
        "enable" => enable: bool = true;
        /// Looking for known vulnerabilities.
        "cve" => cve: Option<Cve> = None;
    }
}

section! {
    /// Looking for known vulnerabilities.
    pub struct Cve {
        /// Pause between two updates of what is known, at least two hours.
        "updateInterval" => update_interval: Duration = Duration::from_secs(2 * 60 * 60);
        /// The scanner.
        "trivy" => trivy: Trivy = Trivy::default();
    }
}

section! {
    /// Where the scanner has its knowledge from.
    pub struct Trivy {
        /// Repository of the vulnerabilities.
        "dbRepository" => db_repository: String = "ghcr.io/aquasecurity/trivy-db".to_owned();
        /// Repository of the digests of Java archives.
        "javaDBRepository" => java_db_repository: String = "ghcr.io/aquasecurity/trivy-java-db".to_owned();
        /// Whose judgement of severity counts, the first that has one.
        "vulnSeveritySources" => severity_sources: Vec<String> = vec!["auto".to_owned()];
        /// File with the findings that are not reported.
        "ignoreFile" => ignore_file: Option<PathBuf> = None;
        /// Whether a bill of materials is kept with an image.
        "sbom" => sbom: Sbom = Sbom::default();
    }
}

section! {
    /// A bill of materials kept with an image.
    pub struct Sbom {
        /// Whether it is made.
        "enable" => enable: bool = false;
        /// How it is written.
        "format" => format: SbomFormat = SbomFormat::SpdxJson;
    }
}

words! {
    /// How a bill of materials is written.
    pub enum SbomFormat {
        /// SPDX in JSON.
        "spdx-json" => SpdxJson,
        /// CycloneDX.
        "cyclonedx" => CycloneDx,
    }
}
