"""What every table is: contracts, the rules and suites made from them, and the lake that holds the tables to them."""
