## Reference values for the Python statistics core.  Run: Rscript refs.R
## Real data: survival::rotterdam (development) -> survival::gbsg (external).
.libPaths(c("rlib", .libPaths()))
suppressPackageStartupMessages({library(survival);library(pROC);library(rms);library(Hmisc);library(metafor)
 library(riskRegression);library(pec);library(maxstat);library(MASS);library(boot);library(jsonlite);library(prodlim)
 library(timeROC);library(survC1);library(compareC);library(nricens);library(survIDINRI);library(pmvalsampsize);library(pmsampsize)
 library(dcurves);library(survAUC);library(ResourceSelection);library(epiR)})
R <- list(); OUT <- "."
co <- function(s) as.list(setNames(as.numeric(s), names(s)))
R$meta <- list(R=R.version.string, packages=sapply(c("survival","pROC","rms","Hmisc","metafor","riskRegression","pec","maxstat","MASS","boot",
  "timeROC","survC1","compareC","nricens","survIDINRI","pmvalsampsize","pmsampsize","dcurves","survAUC","ResourceSelection","epiR"),
  function(p) as.character(packageVersion(p))))

## ---------- data ----------
rot <- survival::rotterdam; gb <- survival::gbsg
rot$status <- pmax(rot$recur, rot$death)
rot$time <- with(rot, ifelse(recur==1, rtime, dtime))/365.25      # RFS as in ?rotterdam / Royston & Altman (43 late deaths kept at dtime)
rot$grade3 <- as.integer(rot$grade==3); rot$lnodes <- log(rot$nodes+1)
rot$size2 <- as.integer(rot$size=="20-50"); rot$size3 <- as.integer(rot$size==">50")
gb$time <- gb$rfstime/365.25
gb$grade3 <- as.integer(gb$grade==3); gb$lnodes <- log(gb$nodes+1)
gb$size2 <- as.integer(gb$size>20 & gb$size<=50); gb$size3 <- as.integer(gb$size>50)
R$data <- list(rot_n=nrow(rot), rot_events=sum(rot$status), gbsg_n=nrow(gb), gbsg_events=sum(gb$status), rot_late_deaths=with(rot,sum(recur==0&death==1&rtime<dtime)))
fA <- coxph(Surv(time,status)~age+meno+size2+size3+grade3+lnodes+hormon, data=rot, x=TRUE, y=TRUE)   # ties=efron
fB <- coxph(Surv(time,status)~age+meno+size2+size3+hormon, data=rot, x=TRUE, y=TRUE)
fAb <- coxph(Surv(time,status)~age+meno+size2+size3+grade3+lnodes+hormon, data=rot, ties="breslow")
coxl <- function(f){s<-summary(f);list(coef=co(coef(f)),se=co(setNames(s$coef[,"se(coef)"],rownames(s$coef))),p=co(setNames(s$coef[,"Pr(>|z|)"],rownames(s$coef))),
  lower=co(setNames(s$conf.int[,3],rownames(s$coef))),upper=co(setNames(s$conf.int[,4],rownames(s$coef))),
  loglik=f$loglik,LR=unname(s$logtest),wald=unname(s$waldtest),score=unname(s$sctest),AIC=AIC(f),n=f$n,nevent=f$nevent)}
R$cox_rotterdam_A <- coxl(fA); R$cox_rotterdam_A_breslow <- coxl(fAb); R$cox_rotterdam_B <- coxl(fB)
z <- cox.zph(fA); R$cox_zph_A <- list(chisq=co(z$table[,1]), p=co(z$table[,3]))
bh <- basehaz(fA, centered=FALSE); R$basehaz_A <- list(t=c(1,3,5), H0=sapply(c(1,3,5),function(t) max(bh$hazard[bh$time<=t])))
tt <- c(1,3,5)
gb$lpA <- predict(fA,newdata=gb,type="lp",reference="zero"); gb$lpB <- predict(fB,newdata=gb,type="lp",reference="zero")
pA <- 1-t(summary(survfit(fA,newdata=gb),times=tt)$surv); pB <- 1-t(summary(survfit(fB,newdata=gb),times=tt)$surv)
for(k in 1:3){gb[[paste0("pA",tt[k])]]<-pA[,k];gb[[paste0("pB",tt[k])]]<-pB[,k]}
gb$known3 <- as.integer(gb$time>3 | gb$status==1); gb$y3 <- ifelse(gb$known3==1, as.integer(gb$time<=3 & gb$status==1), NA)
gb$expA <- predict(fA,newdata=gb,type="expected")
write.csv(format(gb,digits=17,trim=TRUE,scientific=FALSE), file.path(OUT,"data/gbsg_pred.csv"), row.names=FALSE, quote=FALSE)
rot$lpA <- predict(fA,type="lp",reference="zero"); write.csv(format(rot[,c("pid","year","time","status","age","meno","size2","size3","grade3","lnodes","hormon","lpA")],digits=17,trim=TRUE,scientific=FALSE), file.path(OUT,"data/rotterdam_rfs.csv"), row.names=FALSE, quote=FALSE)
S <- Surv(gb$time,gb$status)

## ---------- concordance ----------
cc <- function(...){o<-concordance(...);list(C=unname(o$concordance),se=sqrt(unname(o$var)),counts=co(o$count))}
R$C <- list(harrell_A=cc(S~lpA,gb,reverse=TRUE), harrell_B=cc(S~lpB,gb,reverse=TRUE), harrell_A_ymax5=cc(S~lpA,gb,reverse=TRUE,ymax=5),
  uno_A=cc(S~lpA,gb,reverse=TRUE,timewt="n/G2"), uno_A_ymax5=cc(S~lpA,gb,reverse=TRUE,timewt="n/G2",ymax=5), SG_A=cc(S~lpA,gb,reverse=TRUE,timewt="S/G"),
  harrell_A_rotterdam=cc(Surv(time,status)~lpA,rot,reverse=TRUE))
cd <- concordance(fA,fB,newdata=gb); d<-c(1,-1)
R$C$paired_AB <- list(C=unname(cd$concordance),vcov=unname(cd$var),diff=sum(d*cd$concordance),se=sqrt(drop(d%*%cd$var%*%d)))
R$C$paired_AB$p <- 2*pnorm(-abs(R$C$paired_AB$diff/R$C$paired_AB$se))
kk <- compareC(gb$time,gb$status,-gb$lpA,-gb$lpB); R$C$compareC <- list(est=kk$est.c,diff=kk$est.diff_c,varC=kk$est.vardiff_c,z=kk$zscore,p=kk$pval)
R$C$survC1_tau5_A <- Est.Cval(cbind(gb$time,gb$status,gb$lpA),tau=5,nofit=TRUE)$Dhat
R$C$survC1_tau5_B <- Est.Cval(cbind(gb$time,gb$status,gb$lpB),tau=5,nofit=TRUE)$Dhat
i<-Inf.Cval(cbind(gb$time,gb$status,gb$lpA),tau=5,itr=100,seed=1); R$C$survC1_tau5_A_inf <- list(est=i$Dhat,se_perturb=i$se,lo=i$low95,hi=i$upp95)
i<-Inf.Cval.Delta(cbind(gb$time,gb$status),as.matrix(gb$lpB),as.matrix(gb$lpA),tau=5,itr=100,seed=1); R$C$survC1_delta_perturb <- unclass(i)
R$C$survAUC_UnoC_cens_train <- UnoC(Surv(rot$time,rot$status),S,gb$lpA,time=5); R$C$survAUC_UnoC_cens_self <- UnoC(S,S,gb$lpA,time=5)

## ---------- time-dependent AUC ----------
tA <- timeROC(T=gb$time,delta=gb$status,marker=gb$lpA,cause=1,weighting="marginal",times=tt,iid=TRUE)
tB <- timeROC(T=gb$time,delta=gb$status,marker=gb$lpB,cause=1,weighting="marginal",times=tt,iid=TRUE)
cmp <- timeROC::compare(tA,tB)
R$tdAUC <- list(times=tt, timeROC_A=unname(tA$AUC),timeROC_A_se=unname(tA$inference$vect_sd_1),timeROC_B=unname(tB$AUC),timeROC_B_se=unname(tB$inference$vect_sd_1),
   timeROC_A_ci=unname(confint(tA)$CI_AUC)/100, timeROC_compare_p=unname(cmp$p_values_AUC), n_cases=unname(tA$Stats[,1]),n_controls=unname(tA$Stats[,3]))
sp <- SeSpPPVNPV(cutpoint=median(gb$lpA),T=gb$time,delta=gb$status,marker=gb$lpA,cause=1,weighting="marginal",times=tt,iid=TRUE)
R$tdAUC$SeSpPPVNPV_medianlp <- list(cut=median(gb$lpA),TP=unname(sp$TP),FP=unname(sp$FP),PPV=unname(sp$PPV),NPV=unname(sp$NPV),se_Se=unname(sp$inference$vect_se_Se),se_Sp=unname(sp$inference$vect_se_Sp1),se_PPV=unname(sp$inference$vect_se_PPV),se_NPV=unname(sp$inference$vect_se_NPV1))
sc <- Score(list(A=pA,B=pB),formula=Surv(time,status)~1,data=gb,times=tt,metrics=c("auc","brier"),cens.model="km",conf.int=TRUE,null.model=TRUE,plots=NULL)
R$tdAUC$Score_auc <- as.data.frame(sc$AUC$score); R$tdAUC$Score_auc_contrasts <- as.data.frame(sc$AUC$contrasts)
R$brier <- list(Score=as.data.frame(sc$Brier$score), contrasts=as.data.frame(sc$Brier$contrasts))
au_s <- AUC.uno(S,S,gb$lpA,times=tt); au_t <- AUC.uno(Surv(rot$time,rot$status),S,gb$lpA,times=tt)
R$tdAUC$survAUC_uno_cens_self <- as.numeric(au_s$auc); R$tdAUC$survAUC_uno_cens_train <- as.numeric(au_t$auc)
gr <- seq(0.5,5,by=0.25); R$tdAUC$iAUC <- list(grid=gr, AUCs_timeROC=unname(timeROC(T=gb$time,delta=gb$status,marker=gb$lpA,cause=1,times=gr,iid=FALSE)$AUC),
   survAUC_iauc_self=AUC.uno(S,S,gb$lpA,times=gr)$iauc)
a<-R$tdAUC$iAUC$AUCs_timeROC; km<-summary(survfit(S~1),times=gr)$surv; w<- -diff(c(1,km)); R$tdAUC$iAUC$mean_trapz <- sum(diff(gr)*(head(a,-1)+tail(a,-1))/2)/(max(gr)-min(gr)); R$tdAUC$iAUC$weighted_dS_from0 <- sum(a*w)/sum(w)

## ---------- Brier / IBS ----------
g <- seq(0,5,by=0.05); SA <- t(summary(survfit(fA,newdata=gb),times=g)$surv); SB <- t(summary(survfit(fB,newdata=gb),times=g)$surv)
pe <- pec(list(A=SA,B=SB),formula=Surv(time,status)~1,data=gb,times=g,exact=FALSE,cens.model="marginal",splitMethod="none",start=NULL,verbose=FALSE)
pick<-function(m,t) sapply(t,function(x) pe$AppErr[[m]][which.min(abs(pe$time-x))])
R$brier$pec <- list(t=tt,A=pick("A",tt),B=pick("B",tt),Reference=pick("Reference",tt)); cr<-crps(pe,times=5,start=0); R$brier$pec_IBS_0_5 <- co(setNames(as.numeric(cr[,ncol(cr)]),rownames(cr)))
G <- survfit(Surv(gb$time,1-gb$status)~1); Gl<-stepfun(G$time,c(1,G$surv)); Gm<-stepfun(G$time,c(1,G$surv),right=TRUE)
bs<-function(p,t) mean(ifelse(gb$time<=t&gb$status==1,(1-p)^2/Gm(gb$time),ifelse(gb$time>t,p^2/Gl(t),0)))
R$brier$own_Gminus <- list(A=sapply(1:3,function(k)bs(pA[,k],tt[k])),B=sapply(1:3,function(k)bs(pB[,k],tt[k])))
curve<-sapply(seq_along(g),function(k)bs(1-SA[,k],g[k])); R$brier$own_IBS_trapz_0_5 <- sum(diff(g)*(head(curve,-1)+tail(curve,-1))/2)/5; R$brier$own_grid<-g; R$brier$own_curve_A<-curve
scI <- Score(list(A=1-SA[,-1],B=1-SB[,-1]),formula=Surv(time,status)~1,data=gb,times=g[-1],metrics="brier",summary="ibs",cens.model="km",se.fit=FALSE,null.model=TRUE)
R$brier$Score_IBS_at5 <- as.data.frame(scI$Brier$score[scI$Brier$score$times==5,])

## ---------- survival calibration ----------
cal<-list(); s1<-coxph(S~lpA,gb); cal$slope_cox<-list(est=unname(coef(s1)),se=sqrt(s1$var[1]))
p0<-glm(status~offset(log(expA)),family=poisson,data=gb,subset=expA>0); cal$poisson_log_OE<-list(est=unname(coef(p0)),se=sqrt(vcov(p0)[1]),O=sum(gb$status),E=sum(gb$expA),n_dropped_expected0=sum(gb$expA<=0))
p1<-glm(status~lpA+offset(log(expA)-lpA),family=poisson,data=gb,subset=expA>0); cal$poisson_slope<-list(est=unname(coef(p1)[2]),se=sqrt(vcov(p1)[2,2]))
cal$time<-lapply(1:3,function(k){t<-tt[k];p<-pA[,k];km<-summary(survfit(S~1),times=t);o<-1-km$surv;cll<-log(-log(1-p))
  f<-coxph(Surv(time,status)~rcs(cll,3),data=data.frame(gb,cll=cll),x=TRUE);kn<-attr(rcspline.eval(cll,nk=3),"knots")
  obs<-1-drop(summary(survfit(f,newdata=data.frame(cll=cll)),times=t)$surv);d<-abs(obs-p)
  h<-(function(){dd<-data.frame(time=gb$time,status=gb$status,lcll=cll); hare(dd$time,dd$status,as.matrix(dd$lcll))})
  gq<-cut(p,quantile(p,seq(0,1,.1)),include.lowest=TRUE,labels=FALSE);kg<-lapply(1:10,function(j){q<-summary(survfit(S[gq==j]~1),times=t);c(n=sum(gq==j),pred=mean(p[gq==j]),obs=1-q$surv,se=q$std.err)})
  kg<-do.call(rbind,kg);gnd<-sum((kg[,"obs"]-kg[,"pred"])^2/kg[,"se"]^2)
  list(t=t,obs=o,obs_se=km$std.err,exp=mean(p),OE=o/mean(p),n_event=km$n.event,knots=kn,ICI=mean(d),E50=unname(median(d)),E90=unname(quantile(d,.9)),Emax=max(d),deciles=as.data.frame(kg),GND_chisq=gnd,GND_p_df9=pchisq(gnd,9,lower=FALSE))})
R$surv_cal<-cal

## ---------- binary endpoint: 3-year event status among known ----------
b<-gb[gb$known3==1,]; y<-b$y3; ra<-roc(y,b$pA3,direction="<",quiet=TRUE); rb<-roc(y,b$pB3,direction="<",quiet=TRUE)
dl<-roc.test(ra,rb,method="delong",paired=TRUE)
R$bin<-list(n=length(y),events=sum(y),aucA=as.numeric(auc(ra)),aucA_var=var(ra),aucA_ci=as.numeric(ci.auc(ra,method="delong")),aucB=as.numeric(auc(rb)),aucB_ci=as.numeric(ci.auc(rb,method="delong")),
  cov_AB=cov(ra,rb),delong=list(z=unname(dl$statistic),p=dl$p.value,ci_diff=as.numeric(dl$conf.int)))
r0<-roc(y[b$meno==0],b$pA3[b$meno==0],direction="<",quiet=TRUE);r1<-roc(y[b$meno==1],b$pA3[b$meno==1],direction="<",quiet=TRUE);du<-roc.test(r0,r1,method="delong",paired=FALSE)
R$bin$subgroup_meno<-list(auc0=as.numeric(auc(r0)),auc1=as.numeric(auc(r1)),var0=var(r0),var1=var(r1),D=unname(du$statistic),df=unname(du$parameter),p=du$p.value)
yo<-coords(ra,"best",best.method="youden",ret=c("threshold","sensitivity","specificity","youden"),transpose=FALSE);R$bin$youden<-as.list(yo)
tab<-function(th){pr<-b$pA3>=th;tp<-sum(pr&y==1);fp<-sum(pr&y==0);fn<-sum(!pr&y==1);tn<-sum(!pr&y==0)
  ex<-function(x,n)c(x/n,binom.test(x,n)$conf.int);wi<-function(x,n)as.numeric(prop.test(x,n,correct=FALSE)$conf.int)
  e<-epi.tests(as.table(matrix(c(tp,fp,fn,tn),2,byrow=TRUE)),conf.level=.95); de<-e$detail
  list(threshold=th,tp=tp,fp=fp,fn=fn,tn=tn,sens=ex(tp,tp+fn),spec=ex(tn,tn+fp),ppv=ex(tp,tp+fp),npv=ex(tn,tn+fn),acc=ex(tp+tn,length(y)),sens_wilson=wi(tp,tp+fn),epiR=de)}
R$bin$at_0.5<-tab(.5);R$bin$at_0.3<-tab(.3)
o<-order(-b$pA3);py<-y[o];ps<-b$pA3[o];last<-!duplicated(ps,fromLast=TRUE);tp<-cumsum(py)[last];nn<-seq_along(py)[last];prec<-tp/nn;rec<-tp/sum(y);R$bin$average_precision<-sum(diff(c(0,rec))*prec)
va<-val.prob(b$pA3,y,pl=FALSE,m=50);R$bin$val_prob_A<-co(va)
lg<-qlogis(b$pA3);gs<-glm(y~lg,family=binomial);gi<-glm(y~offset(lg),family=binomial)
R$bin$cal<-list(slope=unname(coef(gs)[2]),slope_se=sqrt(vcov(gs)[2,2]),intercept_joint=unname(coef(gs)[1]),citl=unname(coef(gi)),citl_se=sqrt(vcov(gi)[1]),O=sum(y),E=sum(b$pA3),OE=sum(y)/sum(b$pA3),brier=mean((b$pA3-y)^2))
lo<-loess(y~b$pA3,degree=2,span=.75);d<-abs(predict(lo)-b$pA3);R$bin$loess_degree2_span.75<-list(ICI=mean(d),E50=median(d),E90=unname(quantile(d,.9)),Emax=max(d))
lw<-lowess(b$pA3,y,iter=0);ob<-approx(lw,xout=b$pA3,ties=mean)$y;d<-abs(ob-b$pA3);R$bin$lowess_iter0_f2_3<-list(ICI=mean(d),E50=median(d),E90=unname(quantile(d,.9)),Emax=max(d))
fl<-glm(y~rcs(lg,3),family=binomial);d<-abs(fitted(fl)-b$pA3);R$bin$logit_rcs3<-list(knots=attr(rcspline.eval(lg,nk=3),"knots"),ICI=mean(d),E50=median(d),E90=unname(quantile(d,.9)))
h<-hoslem.test(y,b$pA3,g=10);R$bin$HL<-list(chisq=unname(h$statistic),df_g_minus_2=unname(h$parameter),p_df8=h$p.value,p_df10_external=pchisq(unname(h$statistic),10,lower=FALSE))
im<-improveProb(b$pB3,b$pA3,y);R$bin$improveProb<-im[c("nri","se.nri","z.nri","nri.ev","nri.ne","se.nri.ev","se.nri.ne","idi","se.idi","z.idi","improveSens","improveSpec","pup.ev","pup.ne","pdown.ev","pdown.ne")]
sink(tempfile());nb<-nribin(event=y,p.std=b$pB3,p.new=b$pA3,cut=c(.3,.5),niter=0,updown="category",msg=FALSE);nd<-nribin(event=y,p.std=b$pB3,p.new=b$pA3,cut=0,niter=0,updown="diff",msg=FALSE)
sn<-lapply(c(ipw="ipw",km="km"),function(m){a<-nricens(time=gb$time,event=gb$status,p.std=pB[,3],p.new=pA[,3],t0=5,cut=c(.4,.6),niter=0,updown="category",point.method=m,msg=FALSE)
  d<-nricens(time=gb$time,event=gb$status,p.std=pB[,3],p.new=pA[,3],t0=5,cut=0,niter=0,updown="diff",point.method=m,msg=FALSE);list(cat=co(setNames(a$nri[,1],rownames(a$nri))),cont=co(setNames(d$nri[,1],rownames(d$nri))))});sink()
R$bin$NRI_cat_0.3_0.5<-co(setNames(nb$nri[,1],rownames(nb$nri)));R$bin$NRI_cont<-co(setNames(nd$nri[,1],rownames(nd$nri)))
R$surv_nri_t5<-sn
set.seed(1);ii<-IDI.INF(as.matrix(gb[,c("time","status")]),as.matrix(gb$lpB),as.matrix(gb$lpA),t0=5,npert=300,seed1=1);R$surv_idi_inf_refit<-list(IDI_M1=unname(ii$m1),cNRI_M2=unname(ii$m2),M3=unname(ii$m3))
Ti<-gb$time;idx<-function(p)list(ev=sum((Ti<=5&gb$status==1)/Gm(Ti)*p)/sum((Ti<=5&gb$status==1)/Gm(Ti)),ne=sum((Ti>5)*p)/sum(Ti>5));ia<-idx(pA[,3]);ib<-idx(pB[,3]);R$surv_idi_ipcw_fixedpred<-list(IDI=(ia$ev-ia$ne)-(ib$ev-ib$ne),A=ia,B=ib)
m<-table(factor((b$pA3>=.5)[y==1],c(F,T)),factor((b$pB3>=.5)[y==1],c(F,T)));mc<-mcnemar.test(m);R$bin$mcnemar_sens_0.5<-list(b=m[1,2],c=m[2,1],chisq_cc=unname(mc$statistic),p_cc=mc$p.value,p_exact=binom.test(m[1,2],m[1,2]+m[2,1])$p.value)

## ---------- decision curves ----------
th<-c(.05,seq(.1,.9,by=.1)); bb<-data.frame(y=y,pA=b$pA3,pB=b$pB3); d1<-as.data.frame(dcurves::dca(y~pA+pB,bb,thresholds=th)$dca)[,c("variable","threshold","tp_rate","fp_rate","net_benefit")]
gg<-data.frame(time=gb$time,status=gb$status,A=pA[,3],B=pB[,3]);d2<-as.data.frame(dcurves::dca(Surv(time,status)~A+B,gg,time=5,thresholds=th)$dca)[,c("variable","threshold","pos_rate","tp_rate","fp_rate","net_benefit")]
R$dca<-list(binary_3y=d1,survival_5y=d2)

## ---------- KM, log-rank, maxstat ----------
kmf<-survfit(S~hormon,gb,conf.type="log-log");ks<-summary(kmf,times=tt);R$km<-list(by_hormon=data.frame(strata=as.character(ks$strata),time=ks$time,n.risk=ks$n.risk,surv=ks$surv,se=ks$std.err,lower=ks$lower,upper=ks$upper),median=as.data.frame(summary(kmf)$table))
kp<-summary(survfit(S~1,conf.type="log"),times=tt);R$km$overall_log<-data.frame(time=kp$time,surv=kp$surv,se=kp$std.err,lower=kp$lower,upper=kp$upper);R$km$rmst5<-as.list(summary(survfit(S~1),rmean=5)$table)
lr<-function(f,...){s<-survdiff(f,...);df<-length(s$n)-1;list(chisq=s$chisq,df=df,p=pchisq(s$chisq,df,lower=FALSE),obs=s$obs,exp=s$exp)}
R$logrank<-list(hormon=lr(S~hormon,gb),grade=lr(S~grade,gb),hormon_peto=lr(S~hormon,gb,rho=1),hormon_strat_meno=lr(S~hormon+strata(meno),gb))
R$logrank$hormon_strat_meno$obs<-NULL;R$logrank$hormon_strat_meno$exp<-NULL
mx<-function(f,d,pm,...){set.seed(1);m<-maxstat.test(f,data=d,smethod="LogRank",pmethod=pm,...);list(cut=unname(m$estimate),stat=unname(m$statistic),p=m$p.value)}
gb2<-gb;R$maxstat<-list(nodes=lapply(setNames(nm=c("none","Lau92","Lau94","exactGauss")),function(p)mx(Surv(time,status)~nodes,gb2,p)),lpA=lapply(setNames(nm=c("Lau92","Lau94")),function(p)mx(Surv(time,status)~lpA,gb2,p)),nodes_condMC=mx(Surv(time,status)~nodes,gb2,"condMC",B=9999),age=lapply(setNames(nm=c("Lau92","Lau94","exactGauss")),function(p)mx(Surv(time,status)~age,gb2,p)),age_condMC=mx(Surv(time,status)~age,gb2,"condMC",B=9999))
data(DLBCL,package="maxstat"); write.csv(DLBCL,file.path(OUT,"data/dlbcl.csv"),row.names=FALSE)
R$maxstat$DLBCL_MGE<-lapply(setNames(nm=c("Lau92","Lau94","HL","exactGauss")),function(p)mx(Surv(time,cens)~MGE,DLBCL,p))
ms<-maxstat.test(Surv(time,status)~nodes,data=gb2,smethod="LogRank",pmethod="Lau92");R$maxstat$nodes_curve<-list(cuts=ms$cuts,stats=ms$stats,minprop=.1,maxprop=.9)

## ---------- Cox on gbsg ----------
R$cox_gbsg<-list(uni=lapply(setNames(nm=c("age","meno","size","grade3","lnodes","hormon")),function(v)coxl(coxph(reformulate(v,"Surv(time,status)"),gb))[c("coef","se","p","LR","AIC")]),
  multi=coxl(coxph(Surv(time,status)~age+meno+size+grade3+lnodes+hormon,gb)))
full<-coxph(Surv(time,status)~age+meno+size+grade3+lnodes+hormon+log1p(pgr)+log1p(er),gb);st<-stepAIC(full,direction="both",trace=0);R$cox_gbsg$stepAIC<-list(terms=attr(terms(st),"term.labels"),AIC=AIC(st),AIC_full=AIC(full),anova=list(Step=as.character(st$anova$Step),AIC=st$anova$AIC),coef=co(coef(st)))
bw<-stepAIC(full,direction="backward",trace=0);fw<-stepAIC(coxph(Surv(time,status)~1,gb),scope=~age+meno+size+grade3+lnodes+hormon+log1p(pgr)+log1p(er),direction="forward",trace=0);R$cox_gbsg$step_backward<-attr(terms(bw),"term.labels");R$cox_gbsg$step_forward<-attr(terms(fw),"term.labels")
i0<-coxph(S~hormon+lpA,gb);i1<-coxph(S~hormon*lpA,gb);an<-anova(i0,i1);R$interaction<-list(lpA_x_hormon=list(coef=co(coef(i1)),se=sqrt(diag(i1$var)),wald_p=summary(i1)$coef[3,5],LR=an$Chisq[2],LR_p=an[2,4]))
gb$pgrpos<-as.integer(gb$pgr>=20);j0<-coxph(S~hormon+pgrpos,gb);j1<-coxph(S~hormon*pgrpos,gb);an<-anova(j0,j1);R$interaction$pgr20_x_hormon<-list(coef=co(coef(j1)),se=sqrt(diag(j1$var)),wald_p=summary(j1)$coef[3,5],LR=an$Chisq[2],LR_p=an[2,4],HR_in0=exp(coef(j1)[[1]]),HR_in1=exp(sum(coef(j1)[c(1,3)])),se_in1=sqrt(c(1,0,1)%*%vcov(j1)%*%c(1,0,1))[1])

## ---------- meta-analysis over centres ----------
lu<-survival::lung;lu$status<-lu$status-1;lu<-lu[complete.cases(lu[,c("time","status","age","sex","ph.ecog","inst")]),];lu$lp<-0.01*lu$age-0.55*(lu$sex-1)+0.46*lu$ph.ecog
ce<-do.call(rbind,lapply(split(lu,lu$inst),function(d){if(nrow(d)<10||sum(d$status)<5)return(NULL);o<-concordance(Surv(time,status)~lp,d,reverse=TRUE);data.frame(centre=d$inst[1],n=nrow(d),C=unname(o$concordance),se=sqrt(o$var))}))
yr<-do.call(rbind,lapply(split(rot,rot$year),function(d){if(nrow(d)<50)return(NULL);o<-concordance(Surv(time,status)~lpA,d,reverse=TRUE);data.frame(centre=d$year[1],n=nrow(d),C=unname(o$concordance),se=sqrt(o$var))}))
dat<-escalc(measure="RR",ai=tpos,bi=tneg,ci=cpos,di=cneg,data=metadat::dat.bcg)  # codespell:ignore metadat
me<-function(yi,vi,lab){l<-list(yi=as.numeric(yi),vi=as.numeric(vi),label=lab);for(m in c("FE","DL","REML","PM"))for(te in c("z","knha","adhoc")){if(m=="FE"&&te!="z")next;f<-rma(yi=as.numeric(yi),vi=as.numeric(vi),method=m,test=te,control=list(threshold=1e-12,maxiter=1000));p<-predict(f)
  l[[paste(m,te,sep="_")]]<-list(mu=as.numeric(f$beta),se=f$se,ci=c(f$ci.lb,f$ci.ub),p=f$pval,tau2=f$tau2,I2=f$I2,Q=f$QE,Qp=f$QEp,pi_metafor=c(p$pi.lb,p$pi.ub),
   pi_HTS_tkm2=if(m=="FE")NULL else as.numeric(f$beta)+c(-1,1)*qt(.975,f$k-2)*sqrt(f$tau2+f$se^2),tau2_ci=if(m%in%c("REML")&&te=="z")unname(confint(f)$random[1,2:3]) else NULL)};l}
R$meta_lung_logitC<-me(qlogis(ce$C),(ce$se/(ce$C*(1-ce$C)))^2,ce$centre);R$meta_lung_centres<-ce
R$meta_rotyear_logitC<-me(qlogis(yr$C),(yr$se/(yr$C*(1-yr$C)))^2,yr$centre);R$meta_rotyear_cohorts<-yr
R$meta_bcg_logRR<-me(dat$yi,dat$vi,dat$trial)

## ---------- Table 1 ----------
f<-function(t)list(stat=unname(t$statistic),p=t$p.value); tb<-table(gb$meno,gb$hormon);tg<-table(gb$grade,gb$hormon)
R$table1<-list(meno_x_hormon=unclass(tb)|>unname(),chisq_yates=f(chisq.test(tb)),chisq_nocorr=f(chisq.test(tb,correct=FALSE)),fisher=list(p=fisher.test(tb)$p.value,or_cmle=unname(fisher.test(tb)$estimate),ci=as.numeric(fisher.test(tb)$conf.int)),
 grade_x_hormon=unclass(tg)|>unname(),grade_chisq=f(chisq.test(tg)),grade_fisher=fisher.test(tg)$p.value,age_welch=f(t.test(age~hormon,gb)),age_t=f(t.test(age~hormon,gb,var.equal=TRUE)),age_mw=f(wilcox.test(age~hormon,gb)),nodes_mw=f(wilcox.test(nodes~hormon,gb)),nodes_mw_nocc=f(wilcox.test(nodes~hormon,gb,correct=FALSE)),
 small_mw_exact=f(wilcox.test(c(1.1,2.3,3.7,4.2,9.9),c(0.5,1.9,2.2,2.8))),age_kw_grade=f(kruskal.test(age~grade,gb)),age_anova_grade=list(F=summary(aov(age~factor(grade),gb))[[1]][1,4],p=summary(aov(age~factor(grade),gb))[[1]][1,5]),age_shapiro=f(shapiro.test(gb$age)),
 smd_age=with(gb,(mean(age[hormon==1])-mean(age[hormon==0]))/sqrt((var(age[hormon==1])+var(age[hormon==0]))/2)))

## ---------- drift ----------
k<-suppressWarnings(ks.test(rot$age,gb$age));q<-quantile(rot$age,seq(0,1,.1));q[1]<--Inf;q[11]<-Inf;e<-as.numeric(table(cut(rot$age,q)))/nrow(rot);o<-as.numeric(table(cut(gb$age,q)))/nrow(gb)
R$drift<-list(ks_age=list(D=unname(k$statistic),p_asym=k$p.value),psi_age_dec=sum((o-e)*log(o/e)),chisq_grade3=f(chisq.test(rbind(table(rot$grade3),table(gb$grade3)),correct=FALSE)),ks_lp=list(D=unname(ks.test(rot$lpA,gb$lpA)$statistic)))

## ---------- sample size ----------
set.seed(123);sink(tempfile());v1<-pmvalsampsize(type="b",prevalence=.4,cstatistic=.7,lpnormal=c(-.4,.8),oeciwidth=.3,csciwidth=.3,cstatciwidth=.1,simobs=1e6,seed=123)
p1<-pmsampsize(type="s",csrsquared=0.051,parameters=30,rate=0.065,timepoint=2,meanfup=2.07);p2<-pmsampsize(type="b",csrsquared=0.288,parameters=24,prevalence=0.174);sink()
R$samplesize<-list(pmval_b=v1[!sapply(v1,is.function)],pm_s=p1[!sapply(p1,is.function)],pm_b=p2[!sapply(p2,is.function)])

## ---------- bootstrap (seeded; Monte-Carlo values) ----------
set.seed(2024);bo<-boot(gb,function(d,i)concordance(Surv(time,status)~lpA,d[i,],reverse=TRUE)$concordance,R=2000);bci<-boot.ci(bo,type=c("perc","basic","norm","bca"))
R$boot_C<-list(se=sd(bo$t),perc=bci$percent[4:5],basic=bci$basic[4:5],normal=bci$normal[2:3],bca=bci$bca[4:5],note="Monte-Carlo, seed 2024, R=2000: compare with tolerance ~0.002")

## ---------- STRATOS (McLernon 2023) model, published numbers: LR=531, OE5=1.0174, slope etc ----------
ro<-survival::rotterdam;ro$ryear<-ro$rtime/365.25;ro$rfs<-pmax(ro$recur,ro$death);x<-ro$rfs==1&ro$recur==0&ro$death==1&ro$rtime<ro$dtime;ro$ryear[x]<-ro$dtime[x]/365.25
n99<-quantile(ro$nodes,.99,type=1);ro$nodes2<-pmin(ro$nodes,n99);ro$csize<-ro$size;ro$grade3<-factor(ro$grade,labels=c("1-2","3"));ro$nodes3<-as.numeric(rcspline.eval(ro$nodes2,knots=c(0,1,9)))
ge<-survival::gbsg;ge$ryear<-ge$rfstime/365.25;ge$rfs<-ge$status;ge$csize<-cut(ge$size,c(-1,20,50,500),c("<=20","20-50",">50"));ge$nodes2<-pmin(ge$nodes,n99);ge$grade3<-factor(c("1-2","1-2","3")[ge$grade],levels=c("1-2","3"));ge$nodes3<-as.numeric(rcspline.eval(ge$nodes2,knots=c(0,1,9)))
r5<-subset(survSplit(Surv(ryear,rfs)~.,data=ro,cut=5,episode="epoch"),epoch==1);g5<-subset(survSplit(Surv(ryear,rfs)~.,data=ge,cut=5,episode="epoch"),epoch==1)
e1<-coxph(Surv(ryear,rfs)~csize+nodes2+nodes3+grade3,r5,x=TRUE,y=TRUE);g5$lp<-predict(e1,newdata=g5);g5$pred<-predictRisk(e1,newdata=g5,times=5)
h1<-concordance(Surv(ryear,rfs)~lp,g5,reverse=TRUE);h2<-concordance(Surv(ryear,rfs)~lp,g5,reverse=TRUE,timewt="n/G2");tr<-timeROC(T=g5$ryear,delta=g5$rfs,marker=g5$lp,cause=1,times=4.99,iid=TRUE);gv<-coxph(Surv(ryear,rfs)~lp,g5);ob<-summary(survfit(Surv(ryear,rfs)~1,g5),times=5)
R$stratos<-list(n_nodes99=unname(n99),coef=co(coef(e1)),LR=unname(summary(e1)$logtest[1]),nevent=e1$nevent,harrell=c(h1$concordance,sqrt(h1$var)),uno=c(h2$concordance,sqrt(h2$var)),tdAUC_4.99=c(unname(tr$AUC[2]),unname(tr$inference$vect_sd_1[2])),OE5=(1-ob$surv)/mean(g5$pred),slope=c(coef(gv)[[1]],sqrt(gv$var[1])))
write_json(R,file.path(OUT,"refs.json"),digits=I(15),auto_unbox=TRUE,pretty=TRUE,na="null",null="null",force=TRUE)
cat("done\n")
