using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Provisioning.Awards;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Reconciliation.Trials;

/// <summary>Adds up the grants of users whose accounts would be opened.</summary>
internal sealed class TrialCounts(string realm)
{
    private readonly Dictionary<(string? Grant, string? Rule, string State), TrialRow> _rows = [];

    // Policies are the same for all users of a realm.
    private Dictionary<string, DateTimeOffset>? _active;

    /// <summary>By grant, then by rule.</summary>
    public IReadOnlyList<TrialRow> Rows =>
    [
        .. _rows.Values.OrderBy(row => row.Grant switch { null => 3, "signup" => 0, WelcomeTerms.Policy => 1, _ => 2 })
            .ThenBy(row => row.Grant, StringComparer.Ordinal).ThenBy(row => row.State, StringComparer.Ordinal)
            .ThenBy(row => row.Rule, StringComparer.Ordinal),
    ];

    /// <summary>Adds a user.</summary>
    public void Add(DesiredState state)
    {
        if (state.State != UserState.Account || state.Opening is not { } opening)
        {
            Add(null, null, state.State == UserState.Held ? TrialStates.Held : TrialStates.LeftOut, 0m, null);
            return;
        }

        if (state is not { Grants: { } user, Policies: { } policies })
        {
            Add("signup", null, TrialStates.Due, opening.Unlimited ? 0m : opening.Amount, null);
            return;
        }

        _active ??= policies.Names.ToDictionary(name => name, _ => state.ReadAt, StringComparer.Ordinal);
        var (share, plan, _) = OpeningPlan.Of(state, _active, policies.Welcome is not null);
        Add("signup", null, TrialStates.Due, share?.AtOnce ?? (opening.Unlimited ? 0m : opening.Amount), null);
        foreach (var offer in plan.Due)
            Add(offer.Key, offer.Choices[0].Rule, TrialStates.Due, offer.Credits, offer.Choices[0].Budget?.Credits);
        foreach (var offer in plan.Offers.Where(offer => offer.Credits > 0m))
            Add(offer.Key, null, StateOf(offer, user, policies), MostOf(offer, policies, share), null);
    }

    // Which rule decides is known once nothing is missing.
    private static decimal MostOf(GrantOffer offer, RealmPolicies policies, Share? share) => offer.Key == WelcomeTerms.Policy
        ? policies.Welcome!.Rules.Select(rule => rule.Credits - share!.AtOnce).Append(offer.Credits).Max()
        : offer.Credits;

    private static string StateOf(GrantOffer offer, GrantUser user, RealmPolicies policies)
    {
        var isUnknown = offer.IsUndecided || policies.Tasks.Any(task =>
            task.Key == offer.Key && task.IsDone(user, new AccountFacts(default, null)) is null);
        return isUnknown ? TrialStates.Unknown
            : offer.State == OfferStates.Lapsed ? TrialStates.Lapsed
            : offer.Missing.Count == 0 ? TrialStates.Settles
            : TrialStates.Missing;
    }

    private void Add(string? grant, string? rule, string state, decimal credits, decimal? budget)
    {
        var row = _rows.GetValueOrDefault((grant, rule, state)) ?? new TrialRow(realm, grant, rule, state, 0, 0m, budget);
        _rows[(grant, rule, state)] = row with { Users = row.Users + 1, Credits = row.Credits + credits };
    }
}

/// <summary>What would become of a grant.</summary>
internal static class TrialStates
{
    public const string Due = "due";
    public const string Missing = "missing";
    public const string Lapsed = "lapsed";

    /// <summary>What was done must stand for a while.</summary>
    public const string Settles = "settles";

    /// <summary>A complete reading does not show what decides.</summary>
    public const string Unknown = "unknown";

    /// <summary>The user is disabled.</summary>
    public const string Held = "held";

    /// <summary>The user gets no account.</summary>
    public const string LeftOut = "left_out";
}

/// <summary>Users with the same outcome.</summary>
/// <param name="Grant">The grant's key; null for users without an active account.</param>
/// <param name="Rule">The rule that decides; null where none does.</param>
/// <param name="State">One of <see cref="TrialStates"/>.</param>
/// <param name="Credits">What they would get; where it is not due, the most that they can get.</param>
/// <param name="Budget">The most that the rule gives.</param>
internal sealed record TrialRow(
    string Realm, string? Grant, string? Rule, string State, long Users, decimal Credits, decimal? Budget);
