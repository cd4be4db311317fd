# Prints the targets of the Makefile that say with "##" what they are for, below
# the headings that "##@" gives.
BEGIN { FS = ":.*## "; print "usage: make TARGET   (V=1 shows the commands)" }
/^##@ / { printf "\n%s\n", substr($0, 5) }
/^[a-z][a-z-]*:.*## / { printf "  %-17s %s\n", $1, $2 }
