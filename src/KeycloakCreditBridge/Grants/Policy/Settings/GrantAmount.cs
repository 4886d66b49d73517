namespace KeycloakCreditBridge.Grants.Policy.Settings;

/// <summary>Amounts of grants.</summary>
internal static class GrantAmount
{
    private const decimal Largest = 1_000_000_000m;

    /// <summary>What is wrong with an amount; null when nothing is.</summary>
    public static string? ProblemWith(decimal amount) => amount is <= 0m or > Largest || decimal.Round(amount, 6) != amount
        ? $"is {amount}: choose more than 0 and at most {Largest} with at most six decimals."
        : null;
}
