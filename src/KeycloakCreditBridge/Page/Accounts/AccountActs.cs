using System.Text.Json;
using System.Text.Json.Nodes;
using KeycloakCreditBridge.Api.Problems;
using KeycloakCreditBridge.Api.Tokens;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Credits.Ledger;
using KeycloakCreditBridge.Credits.Lookup;
using KeycloakCreditBridge.Credits.Tiers;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Page.Gate;
using KeycloakCreditBridge.Page.Sessions;
using KeycloakCreditBridge.Page.Shell;
using KeycloakCreditBridge.Provisioning.Policy;

namespace KeycloakCreditBridge.Page.Accounts;

/// <summary>What operators do with an account, by the same services as the HTTP API. Each act, done or refused, is audited.</summary>
internal sealed class AccountActs(
    AccountLookup accounts, LedgerWriter ledger, TierSwitcher switcher, Hot<GrantPolicy> policies, HintWriter hints, HintListStore listed,
    PageAuditStore audit, PageMetrics metrics, TimeProvider clock)
{
    /// <summary>Has Keycloak asked for the user now.</summary>
    public async Task<IResult> AskAsync(HttpContext context, string realm, string id)
    {
        await DoAsync(context, new PageAct("ask", realm, null, ("keycloak_id", id)), async () =>
        {
            if (UserIds.ProblemWith(id) is not null)
                throw Operator.NotFound();
            await hints.WriteAsync(
                [new UserHint(realm, id, HintKind.Changed, "OPERATOR", HintSources.Backfill)], context.RequestAborted);
        });
        return Screens.GoTo(AccountsScreen.AddressOf(realm, id), "asked");
    }

    /// <summary>Tries the hint of the user again, or deletes it.</summary>
    public async Task<IResult> HintAsync(HttpContext context, string realm, string id)
    {
        var drops = context.Features.Get<IFormCollection>()!["do"] == "drop";
        await DoAsync(context, new PageAct(drops ? "drop_hint" : "retry_hint", realm, null, ("keycloak_id", id)), async () =>
        {
            var count = drops
                ? (await listed.DropAsync(realm, [id], context.RequestAborted)).Count
                : (await listed.RetryAsync(realm, [id], allDead: false, context.RequestAborted)).Count;
            if (count == 0)
                throw new RequestRefusedException(
                    StatusCodes.Status409Conflict, "The user has no hint: it was completed meanwhile.");
        });
        return Screens.GoTo(AccountsScreen.AddressOf(realm, id), drops ? "dropped" : "retried");
    }

    /// <summary>Changes credits or tier, once for the form's key.</summary>
    /// <exception cref="RequestRefusedException">The account cannot be changed so.</exception>
    public Task ChangeAsync(HttpContext context, string realm, string accountId, ActForm form)
    {
        var act = new PageAct(
            form.Act, realm, accountId, ("amount", form.Act == "switch" ? null : Texts.Credits(form.Credits)),
            ("tier", form.Act == "switch" ? form.Tier : null), ("reason", form.Reason),
            ("usage", form.Act == "refund" ? form.Usage : null));
        return DoAsync(context, act, async () =>
        {
            var user = Operator.Of(context);
            var caller = new Caller(realm, user.Subject, user.Name, IsAdmin: true, IsService: false, clock.GetUtcNow());
            var answer = form.Act == "switch"
                ? await SwitchAsync(context, caller, accountId, form)
                : await ledger.WriteAsync(Change(context, caller, accountId, form));
            if (answer is null)
                throw RequestRefusedException.NoAccount(accountId);
        });
    }

    private Task<string?> SwitchAsync(HttpContext context, Caller caller, string accountId, ActForm form)
    {
        var tiers = policies.Current.Tiers;
        var order = new TierSwitchRequest(
            accounts.Select(caller, accountId), tiers.Find(form.Tier)!, caller.Subject, AddressOf(context), caller.Key, form.Key,
            form.Hash);
        return switcher.SwitchAsync(order, tiers.ProRating);
    }

    private CreditChange Change(HttpContext context, Caller caller, string accountId, ActForm form)
    {
        var isRefund = form.Act == "refund";
        var metadata = new JsonObject { ["reason"] = form.Reason, ["by"] = caller.Subject, ["source"] = "page" };
        if (isRefund)
            metadata["refunds"] = form.Usage;
        return new CreditChange(
            accounts.Select(caller, accountId), form.Credits, isRefund ? "refund" : form.Type,
            metadata.ToJsonString(JsonSerializerOptions.Web), caller.Key, form.Key, form.Hash)
        {
            Action = isRefund ? "credit.refund" : "credit.allocate",
            Refunds = isRefund ? Guid.Parse(form.Usage) : null,
            Address = AddressOf(context),
        };
    }

    private async Task DoAsync(HttpContext context, PageAct act, Func<Task> work)
    {
        var user = Operator.Of(context);
        try
        {
            user.Demand(act.Realm, Access.Change);
            await work();
        }
        catch (RequestRefusedException refusal)
        {
            await audit.AddAsync(context, user, act, refusal.Message);
            throw;
        }

        await audit.AddAsync(context, user, act);
        metrics.Changed();
    }

    private static string? AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString();
}
