using System.CommandLine;
using KeycloakCreditBridge.Cli.Arguments;
using KeycloakCreditBridge.Intake.Deliveries.Review;

namespace KeycloakCreditBridge.Cli.Deliveries;

/// <summary>The command `deliveries` and its options.</summary>
internal static class DeliveriesSyntax
{
    private static readonly Option<string?> Realm = new("--realm") { Description = "Only this realm; all without it.", HelpName = "NAME" };

    private static readonly Option<string?> User = new("--user") { Description = "Only this Keycloak id, exactly.", HelpName = "ID" };

    private static readonly Option<string?> Outcome = new Option<string?>("--outcome")
    {
        Description = "Only these: failed is refused or not_stored.", HelpName = "WORD",
    }.AcceptOnlyFromAmong("converged", "stored", "ignored", "refused", "not_stored", DeliveryFilter.Failed);

    private static readonly Option<DateTimeOffset?> Since = Instant("--since", "Only those that came since");

    private static readonly Option<DateTimeOffset?> FailedSince = Instant(
        "--failed-since", "Instead of ids, the users of all deliveries that failed since");

    private static readonly Option<long?> Confirm = new("--confirm")
    {
        Description = "With --failed-since: how many users these are. Without it they are counted only.", HelpName = "USERS",
    };

    private static readonly Argument<Guid> Id = new("ID") { Description = "As `deliveries list` shows it." };

    private static readonly Argument<Guid[]> Ids = new("ID")
    {
        Description = "As `deliveries list` shows them.", Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<bool> Json = ResultSyntax.Json("delivery");

    private static readonly Option<int> Limit = ResultSyntax.Limit();

    public static Command Command(CommandHost host) =>
        new("deliveries", "Show what came in and what came of it, and replay it. Needs PostgreSQL only.")
    {
        List(host), Show(host), Unproven(host), Replay(host),
    };

    private static Command List(CommandHost host)
    {
        var command = new Command("list", "Show webhooks and batches of polls, newest first.") { Realm, User, Outcome, Since, Limit, Json };
        command.SetAction((parsed, _) => DeliveriesCommand.ListAsync(
            host, host.Settings(parsed),
            new DeliveryFilter(parsed.GetValue(Realm), parsed.GetValue(Outcome), parsed.GetValue(User), parsed.GetValue(Since)),
            parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Show(CommandHost host)
    {
        var command = new Command("show", "Show a delivery, with the body if it was refused.") { Id, Json };
        command.SetAction((parsed, _) => DeliveriesCommand.ShowAsync(
            host, host.Settings(parsed), parsed.GetValue(Id), parsed.GetValue(Json)));
        return command;
    }

    private static Command Unproven(CommandHost host)
    {
        var command = new Command(
            "unproven", "Show requests whose sender proved nothing: counted by minute and reason, with the first of each as a sample.")
        {
            Realm, Limit, Json,
        };
        command.SetAction((parsed, _) => DeliveriesCommand.UnprovenAsync(
            host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Limit), parsed.GetValue(Json)));
        return command;
    }

    private static Command Replay(CommandHost host)
    {
        var command = new Command(
            "replay",
            "Have the users of deliveries read from Keycloak again by the running service; all that failed since a time as a run.")
        {
            Ids, Realm, FailedSince, Confirm, Json,
        };
        command.Validators.Add(result =>
        {
            var (ids, since) = (result.GetValue(Ids) ?? [], result.GetValue(FailedSince));
            if (ids.Length > 0 == since is not null)
                result.AddError("Name the deliveries: their ids, or --failed-since WHEN.");
            else if (since is not null && result.GetValue(Realm) is null)
                result.AddError("--failed-since needs --realm NAME.");
            else if (since is null && result.GetValue(Confirm) is not null)
                result.AddError("--confirm belongs to --failed-since.");
        });
        command.SetAction((parsed, _) => parsed.GetValue(FailedSince) is { } since
            ? DeliveriesCommand.ReplayFailedAsync(
                host, host.Settings(parsed), parsed.GetValue(Realm)!, since, parsed.GetValue(Confirm), parsed.GetValue(Json))
            : DeliveriesCommand.ReplayAsync(
                host, host.Settings(parsed), parsed.GetValue(Realm), parsed.GetValue(Ids) ?? [], parsed.GetValue(Json)));
        return command;
    }

    private static Option<DateTimeOffset?> Instant(string name, string what) => new(name)
    {
        Description = $"{what} this date or instant (UTC without an offset): 2026-01-31, 2026-01-31T08:00:00Z.",
        HelpName = "WHEN",
        CustomParser = InstantArgument.Parse,
    };
}
