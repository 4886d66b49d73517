using KeycloakCreditBridge.Grants.Policy;
using KeycloakCreditBridge.Grants.Policy.Facts;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Grants.Policy.Tasks;

namespace KeycloakCreditBridge.Tests.Grants.Policy;

public sealed class TaskPlanTests
{
    private static readonly DateTimeOffset Created = new(2026, 12, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("Acme", "due")]
    [InlineData(" ", "open profile")]
    [InlineData("--", "open profile")]
    [InlineData(null, "open profile")]
    public void A_profile_is_complete_when_each_attribute_says_something(string? company, string expected) => Assert.Equal(
        expected,
        Said(Task("a", new TaskEvidenceOptions { Profile = ["company", "firstName"] }), User() with
        {
            FirstName = "Ana",
            Attributes = company is null ? [] : new Dictionary<string, IReadOnlyList<string>> { ["company"] = [company] },
        }));

    [Fact]
    public void A_password_is_no_second_factor_and_what_was_not_read_is_not_done()
    {
        var task = Task("mfa", new TaskEvidenceOptions { Credential = ["otp", "webauthn"] });
        Assert.Equal("open credential", Said(task, User()));
        Assert.Equal("open credential", Said(task, User() with { Credentials = ["password"] }));
        Assert.Equal("due", Said(task, User() with { Credentials = ["password", "otp"] }));
    }

    [Fact]
    public void A_linked_provider_a_group_and_a_role_are_evidence()
    {
        Assert.Equal("due", Said(Task("a", new() { IdentityProvider = ["github"] }), User() with { IdentityProviders = ["github"] }));
        Assert.Equal("due", Said(Task("a", new() { Group = "/staff" }), User() with { Groups = ["/staff"] }));
        Assert.Equal("open group", Said(Task("a", new() { Group = "/staff" }), User() with { Groups = ["/staff/new"] }));
        Assert.Equal("due", Said(Task("a", new() { Role = "tester" }), User() with { RealmRoles = ["tester"] }));
    }

    [Fact]
    public void A_task_that_requires_another_one_is_paid_after_it_or_together_with_it()
    {
        TaskTerms[] tasks = [
            Task("second", new() { Group = "/staff" }, requires: ["first"]), Task("first", new() { EmailVerified = true })];
        Assert.Equal("open email_verified; open first", Said(tasks, User() with { Groups = ["/staff"] }));
        Assert.Equal("due; due", Said(tasks, Verified() with { Groups = ["/staff"] }));
        Assert.Equal("due", Said(tasks, User() with { Groups = ["/staff"] }, Facts(tasks) with { Given = Keys("task:first") }));
    }

    [Theory]
    [InlineData(23, "due")]
    [InlineData(24, "lapsed ")]
    public void A_task_counts_by_the_time_at_which_it_was_seen_to_be_done(int hours, string expected) => Assert.Equal(
        expected,
        Said(
            [Task("a", new() { EmailVerified = true }, within: TimeSpan.FromDays(1))],
            Verified() with { SeenAt = Created.AddHours(hours) }, now: Created.AddDays(9)));

    [Fact]
    public void Evidence_that_must_stand_is_kept_and_read_again_when_the_time_is_over()
    {
        TaskTerms[] tasks = [Task("a", new() { EmailVerified = true }, settle: TimeSpan.FromDays(1))];
        var first = TaskPlan.Of(Verified(), Facts(tasks), tasks, Created);
        Assert.Empty(first.Due);
        Assert.Equal(new SettlingTask("a", Created, Created.AddDays(1)), Assert.Single(first.Settling));

        var facts = Facts(tasks) with { Settling = new Dictionary<string, DateTimeOffset> { ["a"] = Created } };
        Assert.Empty(TaskPlan.Of(Verified(), facts, tasks, Created.AddHours(23)).Settling);
        Assert.Single(TaskPlan.Of(Verified(), facts, tasks, Created.AddDays(1)).Due);
        var undone = TaskPlan.Of(User(), facts, tasks, Created.AddDays(1));
        Assert.Equal(["a"], undone.Undone);
        Assert.Empty(undone.Due);
    }

    [Fact]
    public void A_reported_task_is_kept_until_what_it_requires_is_met()
    {
        TaskTerms[] tasks = [Task("webinar", new() { Reported = true }, requires: ["email_verified"])];
        var facts = Facts(tasks) with { Reported = new Dictionary<string, DateTimeOffset> { ["webinar"] = Created } };
        Assert.Equal("open email_verified", Said(tasks, User(), facts));
        Assert.Equal("due", Said(tasks, Verified(), facts));
    }

    [Fact]
    public void An_account_from_before_the_task_or_that_was_paid_is_offered_nothing()
    {
        TaskTerms[] tasks = [Task("a", new() { EmailVerified = true })];
        Assert.Equal("", Said(tasks, Verified(), Facts(tasks) with { OpenedAt = Created.AddSeconds(-1) }));
        Assert.Equal("", Said(tasks, Verified(), Facts(tasks) with { Given = Keys("task:a") }));
        Assert.Equal("", Said(tasks, Verified(), new AccountFacts(Created, null)));
    }

    [Fact]
    public void Only_what_undone_tasks_need_is_read()
    {
        var policies = new RealmPolicies(null, new Dictionary<string, TaskOptions>
        {
            ["mfa"] = new() { Evidence = new() { Credential = ["otp"] } }, ["staff"] = new() { Evidence = new() { Group = "/staff" } },
        });
        var facts = Facts([.. policies.Tasks]);
        Assert.Equal(new NeededEvidence(false, true, false, true, false), policies.NeededFor(facts));
        Assert.Equal(
            new NeededEvidence(false, true, false, false, false), policies.NeededFor(facts with { Given = Keys("task:mfa") }));
        Assert.False(policies.NeededFor(facts with { OpenedAt = Created.AddSeconds(-1) }).IsAny);
    }

    private static string Said(TaskTerms task, GrantUser user) => Said([task], user);

    private static string Said(TaskTerms[] tasks, GrantUser user, AccountFacts? facts = null, DateTimeOffset? now = null)
    {
        var plan = TaskPlan.Of(user, facts ?? Facts(tasks), tasks, now ?? Created);
        return string.Join("; ", plan.Due.Select(_ => "due").Concat(
            plan.Offers.Select(offer => $"{offer.State} {string.Join(' ', offer.Missing)}").Order(StringComparer.Ordinal)));
    }

    private static TaskTerms Task(
        string name, TaskEvidenceOptions evidence, List<string>? requires = null, TimeSpan? within = null, TimeSpan settle = default) =>
        new(name, new TaskOptions { Evidence = evidence, Credits = 1m, Requires = requires ?? [], Within = within, Settle = settle });

    private static AccountFacts Facts(TaskTerms[] tasks) => new(Created, null)
    {
        Activated = tasks.ToDictionary(task => task.Key, _ => Created, StringComparer.Ordinal),
    };

    private static HashSet<string> Keys(params string[] keys) => [.. keys];

    private static GrantUser User() => new("shop", "ana", Created);

    private static GrantUser Verified() => User() with { Email = "ana@example.com", EmailVerified = true };
}
