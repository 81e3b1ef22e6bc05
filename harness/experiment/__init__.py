"""What the commands run: one check, its verdict, a program that somebody else wrote."""
