using System.Net;
using KeycloakCreditBridge.Grants.Experiments;
using KeycloakCreditBridge.Grants.Policy.Settings;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Page.Experiments;

public sealed class ExperimentsScreenTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Arms_are_shown_with_their_results_and_a_broken_sample_ratio_hides_them()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await BeginAsync(fixture, PageFixture.Realm, "good", control: 60, more: 60);
        await BeginAsync(fixture, PageFixture.Realm, "broken", control: 160, more: 60);
        await BeginAsync(fixture, PageFixture.Other, "of-shop", control: 60, more: 60);
        var browser = await fixture.SignedInAsync(PageFixture.Viewer);
        var shown = (await browser.GetAsync("/page/experiments?realm=demo")).Body;
        Assert.DoesNotContain("of-shop", shown, StringComparison.Ordinal);
        Assert.DoesNotContain("Decide it", shown, StringComparison.Ordinal);
        var parts = shown.Split("<section");
        var (broken, good) = (parts.Single(part => part.Contains("of-broken", StringComparison.Ordinal)),
            parts.Single(part => part.Contains("of-good", StringComparison.Ordinal)));
        Assert.Contains("The sample ratio is broken", broken, StringComparison.Ordinal);
        Assert.Contains("<td class=\"num\">hidden</td>", broken, StringComparison.Ordinal);
        Assert.Contains("The sample ratio is good", good, StringComparison.Ordinal);
        Assert.DoesNotContain(">hidden<", good, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_experiment_is_ended_once_by_its_name_and_with_a_reason()
    {
        await using var fixture = await PageFixture.StartAsync(postgres);
        await BeginAsync(fixture, PageFixture.Realm, "trial", control: 1, more: 1);
        await BeginAsync(fixture, PageFixture.Other, "of-shop", control: 1, more: 1);
        var browser = await fixture.SignedInAsync(PageFixture.Admin);
        Assert.Equal(HttpStatusCode.BadRequest, (await DecideAsync("trial", "tria", "more")).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await DecideAsync("trial", "trial", "most")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await DecideAsync("of-shop", "of-shop", "more")).Status);
        Assert.Equal(0, await DecidedAsync());
        Assert.Equal(HttpStatusCode.Redirect, (await DecideAsync("trial", "trial", "")).Status);
        Assert.Equal(HttpStatusCode.Conflict, (await DecideAsync("trial", "trial", "")).Status);
        Assert.Equal(HttpStatusCode.Redirect, (await DecideAsync("trial", "trial", "more")).Status);
        Assert.Equal(
            "more", await fixture.Database.ScalarAsync<string>("select winner from experiments where experiment = 'trial'"));
        Assert.Equal(1, await DecidedAsync());

        Task<PageAnswer> DecideAsync(string experiment, string name, string winner) => browser.PostAsync(
            $"/page/experiments/demo/{experiment}", ("name", name), ("winner", winner), ("reason", "the numbers are clear"));

        Task<long> DecidedAsync() => fixture.Database.ScalarAsync<long>(
            "select count(*) from experiments where stopped_at is not null");
    }

    // Each user of an arm was assigned and exposed so long ago that the whole time is over.
    private static async Task BeginAsync(PageFixture fixture, string realm, string name, int control, int more)
    {
        var terms = new ExperimentTerms(name, new ExperimentOptions
        {
            From = "2026-01-01", Planned = 1_000,
            Arms =
            [
                new ArmOptions { Name = "control", Weight = 0.5m, Credits = 5m },
                new ArmOptions { Name = "more", Weight = 0.5m, Credits = 10m },
            ],
        });
        await fixture.Database.ExecuteAsync(
            """
            insert into experiments (realm, experiment, version, definition, started_at) values (@realm, @name, 1, @Definition, now());
            insert into experiment_assignments (realm, keycloak_id, experiment, version, arm, bucket, credits, assigned_at, exposed_at)
            select @realm, @name || n, @name, 1, case when n <= @control then 'control' else 'more' end, 0, 5, now() - interval '90 days',
                now() - interval '90 days'
            from generate_series(1, @control + @more) n
            """,
            new { realm, name, terms.Definition, control, more });
    }
}
