//! The event in the Elastic Common Schema, as nested JSON.
