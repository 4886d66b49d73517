namespace KeycloakCreditBridge.Tests.Running;

/// <summary>
/// The trait that leaves slow classes out of the subset for each change: those whose tests took more than a second each on two cores, as
/// `slow-classes.txt` names them.
/// </summary>
internal static class TestSpeed
{
    public const string Trait = "Speed";

    public static IReadOnlySet<string> SlowClasses { get; } = Read();

    public static string Of(Type testClass) => SlowClasses.Contains(testClass.FullName ?? "") ? "Slow" : "Fast";

    private static HashSet<string> Read()
    {
        using var reader = new StreamReader(
            typeof(TestSpeed).Assembly.GetManifestResourceStream("slow-classes.txt")
                ?? throw new InvalidOperationException("The list of slow classes is not in the assembly."));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(name => $"KeycloakCreditBridge.Tests.{name}").ToHashSet(StringComparer.Ordinal);
    }
}
