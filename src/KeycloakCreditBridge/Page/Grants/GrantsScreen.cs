using KeycloakCreditBridge.Analytics.Reports;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants;
using KeycloakCreditBridge.Grants.Sweep;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Page.Grants;

/// <summary>What accounts are given, and which credits end in the next 30 days.</summary>
internal sealed class GrantsScreen(
    ReportWriter writer, EndsDueStore ends, SweepBacklogStore backlog, IOptions<GrantsOptions> options, Hot<GrantPolicy> policies)
{
    private const int MostAccounts = 50;

    public async Task<IResult> ShowAsync(HttpContext context)
    {
        var (user, realm) = (Operator.Of(context), new AskedFilters(context).Realm());
        return Screens.Show<GrantsView, GrantsModel>(
            context,
            new GrantsModel(
                realm, user.Realms, [.. policies.Current.Tiers.Names.Select(name => policies.Current.Tiers.Find(name)!)], options.Value,
                user.SeesAll ? await backlog.ReadAsync(context.RequestAborted) : null, await WriteAsync("kind"), await WriteAsync("day"),
                await ends.NextAsync(realm, MostAccounts, context.RequestAborted)));

        Task<ReportView> WriteAsync(string by) => writer.WriteAsync(
            Report.Expiries, AnalyticsQuery.Read(Report.Expiries, realm, (null, null, by), writer.Today, []), context.RequestAborted);
    }
}

internal static class PageGrantRoutes
{
    public static void MapGrants(this IEndpointRouteBuilder screens) =>
        screens.MapGet("/grants", (HttpContext context, GrantsScreen screen) => screen.ShowAsync(context));
}

/// <param name="Backlog">Ended credits that are not booked out yet, of all realms; null for operators of some realms.</param>
/// <param name="Kinds">Ends of the next 30 days by kind.</param>
/// <param name="Days">The same by day.</param>
/// <param name="Next">Accounts whose granted credits end first.</param>
internal sealed record GrantsModel(
    string Realm, IReadOnlyList<string> Realms, IReadOnlyList<TierTerms> Tiers, GrantsOptions Terms, SweepBacklog? Backlog,
    ReportView Kinds, ReportView Days, IReadOnlyList<DueAccount> Next);
