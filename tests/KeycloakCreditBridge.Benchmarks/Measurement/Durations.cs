namespace KeycloakCreditBridge.Benchmarks.Measurement;

/// <summary>Seconds that something took, once or several times.</summary>
internal sealed class Durations
{
    /// <summary>Seconds from which on something is measured once.</summary>
    public const double Long = 10;

    private const int Times = 3;

    private readonly List<double> _values = [];

    /// <summary>What the machine can do when nothing else is at work.</summary>
    public double Best => _values.Min();

    public double Worst => _values.Max();

    /// <summary>Measures three times, or once where that takes long.</summary>
    /// <param name="measure">Gives seconds.</param>
    public static async Task<Durations> OfAsync(Func<Task<double>> measure)
    {
        var durations = new Durations();
        do
            durations.Add(await measure());
        while (durations._values.Count < Times && durations._values[0] < Long);
        return durations;
    }

    public void Add(double seconds) => _values.Add(seconds);

    public override string ToString() => FormattableString.Invariant($"{Best:0.00} s") + (_values.Count == 1
        ? ""
        : FormattableString.Invariant($" ({Best:0.00} to {Worst:0.00})"));
}
