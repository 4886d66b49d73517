using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace KeycloakCreditBridge.Chaos.Plans;

/// <param name="At">When it is due, from the start.</param>
/// <param name="User">The number of the planned user that it is about.</param>
/// <param name="Count">How many users an import brings.</param>
/// <param name="HasKey">Whether the request has an Idempotency-Key, so that it may be repeated.</param>
internal sealed record Step(
    int Number, TimeSpan At, StepKind Kind, int User, int Replica, decimal Amount, int Variant, int Count, bool HasKey);

/// <param name="Length">How long it lasts, or how long something is delayed.</param>
/// <param name="Count">How many requests meet it.</param>
internal sealed record PlannedFault(int Number, TimeSpan At, FaultKind Kind, int Replica, TimeSpan Length, int Count);

/// <summary>What a seed makes of a size: the same steps and faults each time.</summary>
internal sealed record Plan(int Seed, TimeSpan Duration, int Users, IReadOnlyList<Step> Steps, IReadOnlyList<PlannedFault> Faults)
{
    /// <summary>
    /// Half of all plans have addresses as account ids, so that an account with its ledger is renamed when its user's address changes.
    /// </summary>
    public string AccountId => Seed % 2 == 0 ? "{id}" : "{email}";

    /// <summary>Tells two plans apart.</summary>
    public string Digest
    {
        get
        {
            var text = new StringBuilder();
            foreach (var step in Steps)
                text.Append(step.ToString());
            foreach (var fault in Faults)
                text.Append(fault.ToString());
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..12];
        }
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"seed {Seed}, plan {Digest}, account ids {AccountId}: {Users:N0} registrations, {Steps.Count:N0} steps, "
        + $"{Faults.Count:N0} faults in {Duration.TotalSeconds:N0} s");
}
