namespace KeycloakCreditBridge.Chaos.Checks;

/// <summary>A promise that was not kept.</summary>
/// <param name="Check">The name of the check, such as `accounts`.</param>
internal sealed record Finding(string Check, string Text)
{
    public override string ToString() => $"{Check}: {Text}";
}
