using KeycloakCreditBridge.Tests.Contract.Ways.Arrivals;
using KeycloakCreditBridge.Tests.Contract.Ways.Changes;
using KeycloakCreditBridge.Tests.Contract.Ways.Directories;
using KeycloakCreditBridge.Tests.Contract.Ways.Outages;
using KeycloakCreditBridge.Tests.Contract.Ways.Production;
using KeycloakCreditBridge.Tests.Reconciliation.Runs;

namespace KeycloakCreditBridge.Tests.Contract.Ways;

/// <summary>
/// Every way in which a user appears, changes or disappears, and what the bridge does. The table in docs/how-users-are-found.md is this
/// one.
/// </summary>
internal static class WayCatalogue
{
    private const string AtOnce = "at once";
    private const string AtCommit = "at once, when it commits";
    private const string Poll = "next poll";
    private const string Sweep = "next sweep";
    private const string Run = "next run";
    private const string Complete = "next complete run";
    private const string RunOpens = "next run opens, next complete run holds and closes";
    private const string Login = "first login, at once";
    private const string LoginPoll = "first login, next poll";
    private const string OnceImported = "next run after the import";
    private const string NextLogin = "a login a day later";
    private const string AskedPoll = "next poll requests a run";
    private const string AskedSweep = "next sweep requests a run";
    private const string Not = "not found";
    private const string None = "nothing to do";

    private const string MeasuredForm = "webhook p50 20 ms, p99 101 ms, worst 0.6 s; polling p50 1.5 s, worst 3.9 s";

    public static IReadOnlyList<Way> All { get; } =
    [
        new("registration form", "`REGISTER`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_user_registered_by_the_form_has_one_account_one_ledger_row_and_one_audit_row)),
            Of(typeof(ArrivalTests), nameof(ArrivalTests.Webhooks_alone_find_all_of_them)),
            Of(typeof(ArrivalTests), nameof(ArrivalTests.Polling_alone_finds_all_of_them))) { Measured = MeasuredForm },
        new("registration form with e-mail verification", "`REGISTER`, then `VERIFY_EMAIL`", "opens, re-evaluates", AtOnce, Poll, Run,
            Of(typeof(RegistrationTests), nameof(
                RegistrationTests.A_user_with_an_unverified_address_has_an_account_and_is_reevaluated_when_it_is_verified))),
        new("registration with a passkey", "`REGISTER`, `UPDATE_CREDENTIAL`", "opens", AtOnce, Poll, Run,
            Of(typeof(RegistrationTests), nameof(RegistrationTests.A_user_registered_with_a_passkey_and_no_password_has_one_account))),
        new("administration console, `POST users`", "`USER` `CREATE`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_user_created_by_an_administrator_has_one_account))),
        new("identity provider, first login", "`REGISTER`, `LOGIN`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_user_of_an_identity_provider_has_one_account))),
        new("the same, abandoned at its last step", "nothing that names the user", "opens", Not, Not, Run,
            Of(typeof(BrokerTests), nameof(BrokerTests.A_user_that_abandons_the_last_step_of_a_first_login_is_found_by_reconciliation))),
        new("token exchange from another issuer (off in Keycloak by default)", "`REGISTER`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_user_created_by_a_token_exchange_has_one_account))),
        new("partial import, with old dates or none", "`REALM` `CREATE` of `users/{id}`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_partial_import_gives_every_user_an_account_whatever_its_creation_time))),
        new("partial import that overwrites users", "`REALM` `UPDATE` of `users/{new id}`",
            "opens the new user's account, asks for a run that closes the old one",
            AtOnce, Poll, RunOpens,
            Of(typeof(LossTests),
                nameof(LossTests.A_user_that_a_partial_import_overwrites_is_opened_anew_and_the_old_account_is_closed_by_a_requested_run)),
            Of(typeof(LossTests), nameof(LossTests.Overwritten_users_above_the_closing_share_are_closed_by_the_requested_run))),
        new("realm file", "nothing", "opens", Not, Not, Run,
            Of(typeof(RealmTests), nameof(RealmTests.A_user_of_a_realm_file_is_found_by_the_first_reconciliation))),
        new("organisation invitation", "`REGISTER`; since 26.7 also `INVITE_ORG`", "opens", AtOnce, Poll, Run,
            Of(typeof(RegistrationTests), nameof(RegistrationTests.A_user_invited_by_an_organisation_has_one_account))),
        new("SCIM (preview in 26.7)", "`USER` `CREATE`, `UPDATE`, `DELETE` of `scim/v2/Users/{id}`", "opens, holds, closes", AtOnce, Poll,
            RunOpens,
            Of(typeof(ProductionTests), nameof(ProductionTests.A_user_created_by_SCIM_has_an_account_that_SCIM_holds_and_closes))),
        new("LDAP with import, `FederatedUsers` `All`", "nothing before `LOGIN`", "opens; listing makes Keycloak import every user", Login,
            LoginPoll, Complete,
            Of(typeof(DirectoryTests), nameof(
                DirectoryTests.Users_of_a_directory_with_import_have_accounts_as_soon_as_a_reconciliation_lists_them))),
        new("LDAP with import, `OnFirstLogin`", "`LOGIN`", "opens, imports no user", Login, LoginPoll, OnceImported,
            Of(typeof(DirectoryTests), nameof(
                DirectoryTests.With_OnFirstLogin_no_user_of_a_directory_is_imported_or_has_an_account_before_the_first_login))),
        new("LDAP without import (ids `f:…`), `All`", "nothing before `LOGIN`", "opens", Login, LoginPoll, Complete,
            Of(typeof(DirectoryTests), nameof(
                DirectoryTests.Users_of_a_directory_without_import_have_accounts_as_soon_as_a_reconciliation_lists_them))),
        new("LDAP without import, `OnFirstLogin`", "`LOGIN`", "opens", Login, LoginPoll, Not,
            Of(typeof(DirectoryTests), nameof(
                DirectoryTests.With_OnFirstLogin_no_user_of_a_directory_without_import_has_an_account_before_the_first_login))),
        new("a client's service account", "`CLIENT_LOGIN`", "nothing", None, None, None,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_service_account_has_no_account_and_a_user_with_such_a_name_has_one))),
        new("a user registered as `service-account-x`", "`REGISTER`", "opens", AtOnce, Poll, Run,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_service_account_has_no_account_and_a_user_with_such_a_name_has_one))),
        new("transient user (`lightweight-…`)", "`LOGIN`", "nothing", None, None, None,
            Of(typeof(ArrivalTests), nameof(ArrivalTests.A_transient_user_has_no_account))),
        new("disabled, enabled again", "`USER` `UPDATE`", "holds, releases", AtOnce, Poll, Complete,
            Of(typeof(ChangeTests), nameof(ChangeTests.A_disabled_user_has_a_held_account_until_it_is_enabled_again)),
            Of(typeof(ReconcilerTests), nameof(ReconcilerTests.A_user_disabled_without_an_event_is_held))),
        new("locked out for good by wrong passwords", "`USER_DISABLED_BY_PERMANENT_LOCKOUT`", "holds", AtOnce, Poll, Complete,
            Of(typeof(ChangeTests), nameof(ChangeTests.A_user_that_is_locked_out_permanently_is_held))),
        new("user name changed", "`USER` `UPDATE`", "re-evaluates", AtOnce, Poll, None,
            Of(typeof(ChangeTests), nameof(ChangeTests.A_user_whose_name_an_administrator_changes_is_reevaluated_and_granted_nothing))),
        new("e-mail changed by the user", "`UPDATE_PROFILE`", "re-evaluates", AtOnce, Poll, None,
            Of(typeof(ChangeTests), nameof(ChangeTests.A_user_that_changes_its_address_is_reevaluated_and_granted_nothing))),
        new("e-mail changed by an administrator", "`USER` `UPDATE`", "re-evaluates", AtOnce, Poll, None,
            Of(typeof(ChangeTests), nameof(ChangeTests.A_user_whose_address_an_administrator_changes_is_reevaluated_and_granted_nothing))),
        new("e-mail changed at the identity provider (forced sync)", "`LOGIN` alone", "re-evaluates", NextLogin, NextLogin, None,
            Of(typeof(BrokerTests), nameof(BrokerTests.A_user_whose_address_a_provider_changes_at_a_login_is_reevaluated))),
        new("e-mail changed silently", "nothing", "re-evaluates at a login", NextLogin, NextLogin, None,
            Of(typeof(ChangeTests), nameof(
                ChangeTests.A_user_whose_address_changes_without_an_event_is_reevaluated_at_a_login_a_day_later))),
        new("group, realm role or attribute changed that a tier follows", "`GROUP_MEMBERSHIP`, `REALM_ROLE_MAPPING`, `USER` `UPDATE`",
            "switches the tier", AtOnce, Poll, Not,
            Of(typeof(TierTests), nameof(TierTests.Polling_alone_finds_changed_attributes_groups_and_roles_that_a_tier_follows)),
            Of(typeof(TierTests), nameof(TierTests.Webhooks_alone_find_changed_attributes_groups_and_roles_that_a_tier_follows)),
            Of(typeof(TierTests), nameof(TierTests.An_administrator_s_switch_stands_until_the_tier_in_Keycloak_changes)),
            Of(typeof(TierTests), nameof(TierTests.An_attribute_value_that_is_no_tier_is_ignored_and_logged_once))),
        new("the same without an event for the user: a group's role, a renamed group, LDAP", "nothing that names the user",
            "switches the tier", NextLogin, NextLogin, Not,
            Of(typeof(TierTests), nameof(TierTests.A_role_given_to_a_group_is_found_at_a_later_login_and_by_backfill))),
        new("deleted by an administrator", "`USER` `DELETE`", "closes", AtOnce, Poll, Complete,
            Of(typeof(LeavingTests), nameof(LeavingTests.A_user_deleted_by_an_administrator_keeps_the_ledger_of_a_closed_account))),
        new("deleted by the user", "`DELETE_ACCOUNT`", "closes", AtOnce, Poll, Complete,
            Of(typeof(LeavingTests), nameof(LeavingTests.A_user_that_deletes_itself_keeps_the_ledger_of_a_closed_account))),
        new("removed from LDAP", "nothing", "closes", Complete, Complete, Complete,
            Of(typeof(DirectoryTests), nameof(DirectoryTests.A_user_removed_from_the_directory_is_closed_by_a_complete_run))),
        new("removed without an event (database, workflow)", "nothing", "closes", Complete, Complete, Complete,
            Of(typeof(LeavingTests), nameof(
                LeavingTests.A_user_deleted_without_an_event_is_closed_by_a_complete_run_or_by_a_review_of_that_user)),
            Of(typeof(ProductionTests), nameof(
                ProductionTests.A_user_created_and_deleted_in_the_database_alone_is_opened_and_closed_by_complete_runs)),
            Of(typeof(ProductionTests), nameof(ProductionTests.Its_tables_are_read_by_a_role_that_may_do_nothing_else))),
        new("deleted and registered again with the same address", "`USER` `DELETE`, `REGISTER` with a new id",
            "closes the old account, opens a new one", AtOnce, Poll, RunOpens,
            Of(typeof(LeavingTests), nameof(LeavingTests.A_user_that_is_deleted_and_registers_again_with_the_same_address_is_a_new_user))),
        new("present again under the same id", "the event of the return", "reopens, grants nothing", AtOnce, Poll, Run,
            Of(typeof(ReconcilerTests), nameof(ReconcilerTests.A_closed_account_of_an_existing_user_is_opened_again))),
        new("several realms at once", "as above, by realm", "as above", AtOnce, Poll, Run,
            Of(typeof(RealmTests), nameof(RealmTests.Users_of_several_realms_come_at_once_and_each_has_one_account_of_its_realm))),
        new("events were off for a while", "nothing stored", "requests a run when it notices", AtOnce, AskedSweep, Run,
            Of(typeof(LossTests), nameof(
                LossTests.A_user_created_while_events_were_not_stored_is_found_by_the_reconciliation_that_the_bridge_requests))),
        new("stored events were wiped", "nothing", "requests a run when it notices", AtOnce, AskedPoll, Run,
            Of(typeof(LossTests), nameof(
                LossTests.A_user_whose_event_was_wiped_while_the_bridge_was_down_is_found_by_the_reconciliation_that_it_requests))),
        new("no event at all", "nothing", "opens", Not, Not, Run,
            Of(typeof(LossTests), nameof(LossTests.A_user_without_any_event_is_found_by_the_scheduled_reconciliation))),
        new("Keycloak's clock is 5 minutes off", "as above", "as above", AtOnce, Poll, Run,
            Of(typeof(ClockTests), nameof(ClockTests.Polling_finds_users_of_a_Keycloak_whose_clock_is_five_minutes_ahead)),
            Of(typeof(ClockTests), nameof(ClockTests.Polling_finds_users_of_a_Keycloak_whose_clock_is_five_minutes_behind))),
        new("Keycloak's clock was off and is set right", "as above", "as above", AtOnce, Sweep, Run,
            Of(typeof(ClockTests), nameof(ClockTests.Polling_finds_users_of_a_Keycloak_whose_clock_is_minutes_off_and_then_corrected))),
        new("a transaction that commits 4 minutes after its event's time", "the event, late", "as above", AtCommit, Sweep, Run,
            Of(typeof(ProductionTests), nameof(
                ProductionTests.An_event_that_is_committed_four_minutes_after_its_time_is_found_by_the_next_sweep)),
            Of(typeof(ClockTests), nameof(ClockTests.An_event_that_appears_four_minutes_after_its_time_is_found_by_the_next_sweep))),
    ];

    private static CoveringTest Of(Type tests, string method) => new(tests, method);
}
