namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>How many a second, measured once or several times.</summary>
internal sealed class Rates(string unit)
{
    private readonly List<double> _values = [];

    /// <summary>What the machine can do when nothing else is at work.</summary>
    public double Best => _values.Max();

    public void Add(double perSecond) => _values.Add(perSecond);

    public override string ToString() => FormattableString.Invariant($"{Best:N0} {unit}/s") + (_values.Count == 1
        ? ""
        : FormattableString.Invariant($" ({_values.Min():N0} to {Best:N0})"));
}
