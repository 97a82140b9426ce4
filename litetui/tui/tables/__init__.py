"""What tables show: rows on demand, sorted, filtered, followed and exported."""
