//! Who is who, event by event.
