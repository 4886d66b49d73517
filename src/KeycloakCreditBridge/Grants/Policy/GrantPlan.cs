using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Policy.Tasks;

namespace KeycloakCreditBridge.Grants.Policy;

/// <summary>
/// Says which grants of a user are due, and what each other one still lacks. Pure: the same user, facts, terms and time give the same plan,
/// and a plan that was carried out is empty afterwards.
/// </summary>
internal static class GrantPlan
{
    /// <summary>The plan of a user.</summary>
    /// <param name="user">The user as Keycloak says now.</param>
    /// <param name="facts">What the bridge holds; null where the user has no account.</param>
    /// <param name="policies">Those of the user's realm.</param>
    /// <param name="now">When Keycloak was asked.</param>
    public static PlannedGrants Of(GrantUser user, AccountFacts? facts, RealmPolicies policies, DateTimeOffset now)
    {
        var plan = Of(user, facts, policies.Welcome, now);
        if (facts is null || policies.Tasks.Count == 0)
            return plan;
        var given = facts with { Given = facts.Given.Concat(plan.Due.Select(due => due.Key)).ToHashSet(StringComparer.Ordinal) };
        var tasks = TaskPlan.Of(user, given, policies.Tasks, now);
        return new PlannedGrants([.. plan.Due, .. tasks.Due], [.. plan.Offers, .. tasks.Offers])
        {
            Settling = tasks.Settling, Undone = tasks.Undone, DecidesAt = plan.DecidesAt,
        };
    }

    /// <summary>The part of the plan that concerns the welcome.</summary>
    public static PlannedGrants Of(GrantUser user, AccountFacts? facts, WelcomeTerms? welcome, DateTimeOffset now)
    {
        if (facts?.Stopped.Contains(WelcomeTerms.Policy) == true)
            return PlannedGrants.None;
        if (welcome is null || facts?.Withheld is not { } withheld)
            return welcome is null || facts is null ? PlannedGrants.None : TopUpOf(user, facts, welcome);
        string[] missing = [
            .. welcome.RequiresOf(user).Where(required => !IsMet(required, user)),
            .. facts.Taken.Contains((user.WelcomeOncePer, WelcomeTerms.Policy)) ? [Requirements.UnusedAddress] : Array.Empty<string>(),
        ];
        var until = welcome.VerifyWithin is { } within ? (user.CreatedAt ?? facts.OpenedAt) + within : (DateTimeOffset?)null;
        var metAt = missing.Length == 0 ? user.SeenAt ?? now : now;
        var isOpen = !(until <= metAt);
        var offer = new GrantOffer(
            WelcomeTerms.Policy, withheld, isOpen ? OfferStates.Open : OfferStates.Lapsed, missing, until, WelcomeTerms.Policy,
            welcome.Version);
        if (missing.Length > 0 || !isOpen)
            return new PlannedGrants([], [offer]);
        // Keycloak's clock may be ahead.
        var created = user.CreatedAt < facts.OpenedAt ? user.CreatedAt.Value : facts.OpenedAt;
        if (created + welcome.DecideAfter is var decidesAt && now < decidesAt)
            return new PlannedGrants([], [offer with { SettlesAt = decidesAt }]) { DecidesAt = decidesAt };
        if (!welcome.CanDecide(user))
            return new PlannedGrants([], [offer with { IsUndecided = true }]);
        GrantChoice[] choices = [.. welcome.ChoicesOf(user, facts)];
        return new PlannedGrants([offer with { Credits = choices[0].Credits, Choices = choices }], []);
    }

    /// <summary>Whether a user meets what the welcome requires, whatever the bridge holds.</summary>
    public static bool Meets(GrantUser user, WelcomeTerms welcome) => welcome.RequiresOf(user).All(required => IsMet(required, user));

    private static PlannedGrants TopUpOf(GrantUser user, AccountFacts facts, WelcomeTerms welcome) =>
        welcome.TopUpOf(user, facts) is not { } choice
            ? PlannedGrants.None
            : new PlannedGrants(
                [
                    new GrantOffer($"topup:{choice.Tier}", choice.Credits, OfferStates.Open, [], null, WelcomeTerms.Policy, welcome.Version)
                    {
                        Choices = [choice],
                    },
                ],
                []);

    private static bool IsMet(string requirement, GrantUser user) => requirement switch
    {
        Requirements.EmailVerified => user.HasVerifiedAddress,
        _ => throw new ArgumentOutOfRangeException(nameof(requirement), requirement, "No such requirement."),
    };
}
