// empty.cpp — the cheapest program there is, linked statically: what starting a process costs.
int main() { return 0; }
